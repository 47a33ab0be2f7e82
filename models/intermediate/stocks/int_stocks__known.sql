-- What was believed to be the present state of a stock, one row per stock and span of knowledge time: the words of the
-- one source of lists that speaks first.
with

versions as (
    select * from {{ ref('int_stocks__versioned') }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'stocks'
),

markets as (
    select * from {{ ref('markets') }}
),

ranked as (
    select
        versions.*,
        markets.market,
        markets.segment,
        dense_rank() over (
            partition by versions.stock_code order by source_priorities.priority, versions.source
        ) as preference
    from versions
    left join source_priorities on versions.source = source_priorities.source
    left join markets on versions.vendor_market = markets.vendor_market
),

newest_words as (
    select distinct on (stock_code, fetched_at) *
    from ranked
    where preference = 1
    order by stock_code asc, fetched_at asc, list_date desc
),

final as (
    select
        stock_code,
        stock_name,
        market,
        segment,
        vendor_security_type as security_type,
        is_listed as is_active,
        listed_shares::bigint as listed_shares,
        list_date as state_date,
        fetched_at as known_from,
        lead(fetched_at) over (partition by stock_code order by fetched_at) as known_to,
        'OBSERVED' as known_basis
    from newest_words
)

select * from final
