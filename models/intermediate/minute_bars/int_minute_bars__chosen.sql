-- Bars of the source and venue that speaks for a stock and day.
with

bars as (
    select * from {{ ref('int_minute_bars__unioned') }}
    where broken_rules = ''
),

stock_days as (
    select * from {{ ref('int_minute_bars__chosen_stock_days') }}
),

final as (
    select
        bars.trade_date,
        bars.stock_code,
        bars.started_at,
        bars.source,
        bars.venue,
        bars.session,
        bars.open_price,
        bars.high_price,
        bars.low_price,
        bars.close_price,
        bars.volume,
        bars.trading_value,
        stock_days.is_provisional,
        bars.fetch_id,
        bars.row_number,
        bars.first_fetched_at as first_carried_at
    from bars
    inner join stock_days
        on
            bars.trade_date = stock_days.trade_date
            and bars.stock_code = stock_days.stock_code
            and bars.source = stock_days.source
            and bars.venue = stock_days.venue
)

select * from final
