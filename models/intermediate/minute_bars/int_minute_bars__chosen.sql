-- One source and venue speaks for a stock and day: minutes of two vendors differ by some shares, and would not add up.
with

bars as (
    select
        *,
        -- rows of a warehouse that was built before sessions could be looked at while they go on
        coalesce(is_provisional, false) as is_not_final
    from {{ ref('int_minute_bars__unioned') }}
    where broken_rules = ''
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

stock_days as (
    select
        bars.trade_date,
        bars.stock_code,
        bars.source,
        bars.venue,
        bool_or(bars.is_not_final) as is_provisional
    from bars
    where (bars.source, bars.trade_date) not in (select held.source, held.trade_date from held)
    group by bars.trade_date, bars.stock_code, bars.source, bars.venue
),

chosen as (
    select distinct on (stock_days.trade_date, stock_days.stock_code)
        stock_days.trade_date,
        stock_days.stock_code,
        stock_days.source,
        stock_days.venue,
        stock_days.is_provisional
    from stock_days
    left join source_priorities on stock_days.source = source_priorities.source
    order by
        stock_days.trade_date,
        stock_days.stock_code,
        -- the exchange's own trades before those of another venue
        stock_days.venue <> 'KRX',
        -- a final answer before any that is not
        stock_days.is_provisional,
        source_priorities.priority,
        stock_days.source
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
        chosen.is_provisional,
        bars.fetch_id,
        bars.row_number,
        bars.first_fetched_at as first_carried_at
    from bars
    inner join chosen
        on
            bars.trade_date = chosen.trade_date
            and bars.stock_code = chosen.stock_code
            and bars.source = chosen.source
            and bars.venue = chosen.venue
)

select * from final
