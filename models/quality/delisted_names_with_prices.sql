-- Prices of a name on or after the day from which the stock master says it was delisted: a delisting that did not
-- happen, another stock under an old code, or a vendor that goes on repeating the last day.
with

daily_prices as not materialized (
    select
        trade_date,
        stock_code,
        source,
        close_price,
        volume
    from {{ ref('int_daily_prices__unioned') }}
    where broken_rules = ''
),

delisted as (
    select
        source,
        stock_code,
        delisting_date
    from {{ ref('int_stocks__delisted') }}
),

final as (
    select
        daily_prices.trade_date,
        daily_prices.stock_code,
        daily_prices.source,
        daily_prices.close_price,
        daily_prices.volume,
        delisted.delisting_date,
        delisted.source as delisting_source
    from daily_prices
    inner join delisted
        on
            daily_prices.stock_code = delisted.stock_code
            and daily_prices.trade_date >= delisted.delisting_date
)

select * from final
