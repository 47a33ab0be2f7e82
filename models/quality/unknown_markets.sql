-- Words for a market that vendors use now and the seed of markets lacks: their stocks are of the market that the word
-- begins with, or of none, and a stock without a market is in no mart
with

versions as (
    select
        source,
        stock_code,
        vendor_market,
        fetched_at
    from {{ ref('int_stocks__versioned') }}
),

delisted as (
    select
        source,
        stock_code,
        vendor_market,
        fetched_at
    from {{ ref('int_stocks__delisted') }}
),

last_priced as (
    select
        source,
        stock_code,
        vendor_market,
        fetched_at
    from {{ ref('int_stocks__last_priced') }}
),

markets as (
    select * from {{ ref('markets') }}
),

unioned as (
    select * from versions
    union all
    select * from delisted
    union all
    select * from last_priced
),

words as (
    select
        source,
        vendor_market,
        count(distinct stock_code) as stocks,
        min(fetched_at) as first_fetched_at
    from unioned
    where vendor_market is not null
    group by source, vendor_market
),

final as (
    select
        words.source,
        words.vendor_market,
        markets.market,
        words.stocks,
        format(
            'add to seeds/reference/markets.csv: %s,%s,segment', words.vendor_market, coalesce(markets.market, 'market')
        ) as what_to_do,
        words.first_fetched_at
    from words
    {{ left_join_market('words.vendor_market') }}
    where words.vendor_market not in (select known.vendor_market from {{ ref('markets') }} as known)
)

select * from final
