-- One source and venue speaks for a stock and day: minutes of two vendors differ by some shares, and would not add up.
with

stock_days as (
    select * from {{ ref('int_minute_bars__summed') }}
    where sound_bar_count > 0
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_minute_bars__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'ohlcv_minute'
),

final as (
    select distinct on (stock_days.trade_date, stock_days.stock_code)
        stock_days.trade_date,
        stock_days.stock_code,
        stock_days.source,
        stock_days.venue,
        stock_days.is_provisional,
        stock_days.sound_volume,
        stock_days.open_price,
        stock_days.high_price,
        stock_days.low_price,
        stock_days.close_price,
        stock_days.regular_volume,
        stock_days.first_regular_at,
        stock_days.last_regular_at
    from stock_days
    left join source_priorities on stock_days.source = source_priorities.source
    where (stock_days.source, stock_days.trade_date) not in (select held.source, held.trade_date from held)
    order by
        stock_days.trade_date,
        stock_days.stock_code,
        -- the exchange's own trades before those of another venue
        stock_days.venue <> 'KRX',
        -- a final answer before any that is not
        stock_days.is_provisional,
        source_priorities.priority,
        stock_days.source
)

select * from final
