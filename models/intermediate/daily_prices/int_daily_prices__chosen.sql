-- A view: the filter on trade_date of its readers reaches the index, because trade_date is in the partition.
with

daily_prices as (
    select * from {{ ref('int_daily_prices__unioned') }}
),

{{ daily_prices_held() }},

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'ohlcv_daily'
),

ranked as (
    select
        daily_prices.*,
        -- the same window twice is one pass over all rows: one for the order and one for the whole would be two
        min(daily_prices.first_fetched_at) over (
            partition by daily_prices.trade_date, daily_prices.stock_code
            order by source_priorities.priority, daily_prices.source
            rows between unbounded preceding and unbounded following
        ) as first_carried_at,
        row_number() over (
            partition by daily_prices.trade_date, daily_prices.stock_code
            order by source_priorities.priority, daily_prices.source
            rows between unbounded preceding and unbounded following
        ) as choice
    from daily_prices
    left join source_priorities on daily_prices.source = source_priorities.source
    where
        daily_prices.broken_rules = ''
        and {{ daily_price_is_not_held('daily_prices') }}
),

final as (
    select
        trade_date,
        stock_code,
        source,
        stock_name,
        vendor_market,
        open_price,
        high_price,
        low_price,
        close_price,
        base_price,
        volume,
        trading_value,
        listed_shares,
        is_suspended,
        fetch_id,
        row_number,
        first_carried_at
    from ranked
    where choice = 1
)

select * from final
