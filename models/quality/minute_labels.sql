-- Whether minutes are labelled by their start: whoever labels them by their end has no bar at the opening minute, and
-- all of his bars lie a minute late. Among thirty stocks and more one trades in the opening auction.
with

chosen as (
    select * from {{ ref('int_minute_bars__chosen_stock_days') }}
),

stock_days as (
    select * from {{ ref('int_minute_bars__summed') }}
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
        chosen.trade_date,
        chosen.source,
        chosen.venue,
        count(*) as stock_count,
        count(*) filter (where stock_days.first_regular_at <= sessions.opens_at) as opening_count,
        count(*) filter (where stock_days.last_regular_at >= sessions.closes_at) as closing_count
    from chosen
    inner join stock_days
        on
            chosen.trade_date = stock_days.trade_date
            and chosen.stock_code = stock_days.stock_code
            and chosen.source = stock_days.source
            and chosen.venue = stock_days.venue
    inner join sessions on chosen.trade_date = sessions.date
    group by chosen.trade_date, chosen.source, chosen.venue
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
