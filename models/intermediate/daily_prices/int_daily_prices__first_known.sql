-- The best source's row of a stock and session as it was known before the next session opened: what a vendor corrected
-- after that is not in it, what it corrected in the same night is. A name that a correction adds was not known before.
with

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_daily_prices__gated')) }}
),

-- what a gate holds back is not published; an answer that it replaced is
bars as (
    select daily_prices.*
    from {{ ref('int_daily_prices__unioned') }} as daily_prices
    where
        daily_prices.trade_date is not null
        and (daily_prices.source, daily_prices.trade_date) not in (select held.source, held.trade_date from held)
),

superseded as (
    select * from {{ ref('int_daily_prices__superseded') }}
),

calendar as (
    select
        date,
        next_session
    from {{ ref('trading_calendar') }}
),

openings as (
    select
        date,
        opens_at
    from {{ ref('trading_calendar') }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'ohlcv_daily'
),

replaced as (
    select distinct on (source, stock_code, trade_date)
        source,
        stock_code,
        trade_date,
        answer_number,
        -- what replaced it is known since then, however often it was told again
        case when not was_dropped then replaced_at end as replaced_at
    from superseded
    order by source, stock_code, trade_date, answer_number desc
),

{% set columns = [
    'source', 'stock_code', 'trade_date', 'stock_name', 'vendor_market', 'open_price', 'close_price', 'base_price',
    'volume', 'trading_value', 'listed_shares', 'is_suspended', 'broken_rules', 'fetch_id', 'row_number', 'fetched_at',
    'first_fetched_at', 'is_told_at_first',
] %}
versions as (
    select
        {% for column in columns %}
        bars.{{ column }},
        {% endfor %}
        coalesce(replaced.answer_number, 0) + 1 as answer_number,
        coalesce(replaced.replaced_at, bars.fetched_at) as known_since,
        null::timestamptz as dropped_at
    from bars
    left join replaced
        on
            bars.source = replaced.source
            and bars.stock_code = replaced.stock_code
            and bars.trade_date = replaced.trade_date
    union all
    select
        {{ columns | join(', ') }},
        answer_number,
        fetched_at as known_since,
        case when was_dropped then replaced_at end as dropped_at
    from superseded
),

timely as (
    select
        versions.*,
        openings.opens_at as known_before
    from versions
    inner join calendar on versions.trade_date = calendar.date
    left join openings on calendar.next_session = openings.date
    where
        versions.broken_rules = ''
        and (
            -- null in rows that were built before it was told
            (versions.answer_number = 1 and versions.is_told_at_first is not false)
            or (versions.answer_number = 1 and versions.first_fetched_at < openings.opens_at)
            or versions.known_since < openings.opens_at
        )
        and (versions.dropped_at is null or versions.dropped_at >= openings.opens_at)
),

final as (
    select distinct on (timely.trade_date, timely.stock_code)
        {% for column in columns %}
        timely.{{ column }},
        {% endfor %}
        timely.known_before
    from timely
    left join source_priorities on timely.source = source_priorities.source
    order by
        timely.trade_date, timely.stock_code, source_priorities.priority, timely.source, timely.answer_number desc
)

select * from final
