-- The last good bar of every stock and source. Walks the index from code to code instead of reading the history:
-- its cost follows the number of names, not of days.
with recursive

-- read three times: materialised, it would be scanned whole for every name
daily_prices as not materialized (
    select * from {{ ref('int_daily_prices__unioned') }}
),

fund_values as not materialized (
    select
        source,
        stock_code,
        trade_date,
        net_asset_value
    from {{ ref('int_etf_values__unioned') }}
),

names as (
    (
        select
            source,
            stock_code
        from daily_prices
        order by source, stock_code
        limit 1
    )
    union all
    select
        next_names.source,
        next_names.stock_code
    from names
    cross join lateral (
        select
            daily_prices.source,
            daily_prices.stock_code
        from daily_prices
        where (daily_prices.source, daily_prices.stock_code) > (names.source, names.stock_code)
        order by daily_prices.source, daily_prices.stock_code
        limit 1
    ) as next_names
),

final as (
    select
        names.source,
        names.stock_code,
        last_bars.trade_date as last_priced_date,
        last_bars.stock_name,
        last_bars.vendor_market,
        last_bars.board_section,
        last_bars.listed_shares,
        last_bars.fetched_at,
        first_bars.first_fetched_at,
        told_values.is_there is not null as is_fund
    from names
    cross join lateral (
        select daily_prices.*
        from daily_prices
        where
            daily_prices.source = names.source
            and daily_prices.stock_code = names.stock_code
            and daily_prices.broken_rules = ''
        order by daily_prices.trade_date desc
        limit 1
    ) as last_bars
    cross join lateral (
        select daily_prices.first_fetched_at
        from daily_prices
        where daily_prices.source = names.source and daily_prices.stock_code = names.stock_code
        order by daily_prices.trade_date
        limit 1
    ) as first_bars
    left join lateral (
        select true as is_there
        from fund_values
        where
            fund_values.source = names.source
            and fund_values.stock_code = names.stock_code
            and fund_values.net_asset_value is not null
        order by fund_values.trade_date
        limit 1
    ) as told_values on true
)

select * from final
