-- Whether minutes are labelled by their start: whoever labels them by their end has no bar at the opening minute, and
-- all of his bars lie a minute late. Among thirty stocks and more one trades in the opening auction.
with

stock_days as (
    select * from {{ ref('int_minute_bars__chosen_stock_days') }}
    where regular_volume is not null
),

sessions as (
    select
        date,
        opens_at,
        closes_at
    from {{ ref('trading_calendar') }}
    where is_session
),

counted as (
    select
        stock_days.trade_date,
        stock_days.source,
        stock_days.venue,
        count(*) as stock_count,
        count(*) filter (where stock_days.first_regular_at <= sessions.opens_at) as opening_count,
        count(*) filter (where stock_days.last_regular_at >= sessions.closes_at) as closing_count
    from stock_days
    inner join sessions on stock_days.trade_date = sessions.date
    group by stock_days.trade_date, stock_days.source, stock_days.venue
),

final as (
    select
        trade_date,
        source,
        venue,
        stock_count,
        opening_count,
        closing_count,
        stock_count >= 30 and opening_count = 0 as is_shifted
    from counted
)

select * from final
