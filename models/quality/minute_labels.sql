-- Whether minutes are labelled by their start: whoever labels them by their end has no bar at the opening minute, and
-- all of his bars lie a minute late. Among thirty stocks and more one trades in the opening auction.
with

bars as (
    select * from {{ ref('int_minute_bars__chosen') }}
    where session = 'REGULAR'
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
        bars.trade_date,
        bars.source,
        bars.venue,
        count(distinct bars.stock_code) as stock_count,
        count(distinct bars.stock_code) filter (where bars.started_at = sessions.opens_at) as opening_count,
        count(distinct bars.stock_code) filter (where bars.started_at = sessions.closes_at) as closing_count
    from bars
    inner join sessions on bars.trade_date = sessions.date
    group by bars.trade_date, bars.source, bars.venue
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
