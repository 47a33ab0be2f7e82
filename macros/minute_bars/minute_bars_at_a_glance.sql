{#
    Minute bars at a glance, for int_minute_bars__unioned.

    Nearly every stock and day is plain: told once, no minute twice, every bar sound by itself and in the running totals. Such a
    day is read by casts. Every other one, whatever is the matter with whichever of its rows, is read with all rules, which
    take five times as long and say of a plain day the same: what a glance does not settle it never decides.
#}

{#
    CTEs beside `cells`, `calendar` and `day_sessions` of the model: `sound_rows` are the bars of plain days as the model gives
    them, `doubtful_cells` the cells of all other days. `relations` are staging views, by which `<view>_digits` is read.
    Example: {{ minute_bars_at_a_glance({'stg_kis__time_dailychartprice': 'kis'}, at_hand, '^[0-9]{6}$') }}
#}
{% macro minute_bars_at_a_glance(relations, at_hand, code_pattern) -%}
{%- set sessions = ['PRE_MARKET', 'REGULAR', 'AFTER_MARKET'] -%}
-- told once: one attempt, a final one, and none before it that could say when a bar was first carried. By a window, since
-- a join of the cells with themselves would be planned for one row
attempts as (
    select
        *,
        min(attempt_id) over cells_of_the_day as first_attempt_id,
        max(attempt_id) over cells_of_the_day as last_attempt_id,
        -- one number is put in order in half the time of three columns
        dense_rank() over (order by source, scope, collection_date) as stock_day
    from cells
    window cells_of_the_day as (partition by source, scope, collection_date)
),

cells_at_a_glance as (
    select
        attempts.source,
        attempts.scope,
        attempts.collection_date,
        attempts.stock_day,
        attempts.fetch_id,
        attempts.fetched_at,
        to_char(attempts.collection_date, 'YYYYMMDD') as date_text,
        attempts.collection_date::timestamp at time zone 'Asia/Seoul' as day_begins_at,
        {{ minute_at('calendar.opens_at') }} as opens_at,
        {{ minute_at('calendar.closes_at') }} as closes_at
    from attempts
    inner join calendar on attempts.collection_date = calendar.date
    where
        attempts.first_attempt_id = attempts.last_attempt_id
        and attempts.is_current
        and not attempts.is_provisional
        and attempts.scope ~ '{{ code_pattern }}'
),

-- the hours of a venue in one row, in minutes of the day
hours as (
    select
        date,
        venue
        {%- for session in sessions %},
        min({{ minute_at('opens_at') }}) filter (where session = '{{ session }}') as {{ session | lower }}_opens_at,
        min({{ minute_at('closes_at') }}) filter (where session = '{{ session }}') as {{ session | lower }}_closes_at
        {%- endfor %}
    from day_sessions
    group by date, venue
),

as_sent as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        cells.scope as stock_code,
        cells.collection_date as trade_date,
        cells.stock_day,
        cells.fetched_at,
        cells.day_begins_at,
        cells.opens_at,
        cells.closes_at,
        bars.minute_label,
        bars.minute_of_day,
        bars.bar_date_text = cells.date_text as is_of_the_day,
        -- the order of the bars of a day, and of those of other days behind it, in minutes
        case
            when bars.bar_date_text = cells.date_text then bars.minute_of_day
            else ({{ to_date8('bars.bar_date_text') }} - date '1970-01-01') * 1440 + bars.minute_of_day
        end as position,
        bars.open_price,
        bars.high_price,
        bars.low_price,
        bars.close_price,
        bars.volume,
        bars.cumulative_value,
        bars.venue,
        bars.fetch_id,
        bars.row_number,
        bars.is_plain
    from cells_at_a_glance as cells
    inner join {{ ref(relation ~ '_digits') }} as bars on cells.fetch_id = bars.fetch_id
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

with_session as (
    select
        as_sent.*,
        case
            when not as_sent.is_of_the_day then null
            when as_sent.venue <> 'NXT' and as_sent.minute_of_day between as_sent.opens_at and as_sent.closes_at
                then 'REGULAR'
            {%- for session in sessions %}
            when
                as_sent.minute_of_day >= hours.{{ session | lower }}_opens_at
                and as_sent.minute_of_day < hours.{{ session | lower }}_closes_at
                then '{{ session }}'
            {%- endfor %}
        end as session
    from as_sent
    left join hours on as_sent.trade_date = hours.date and as_sent.venue = hours.venue
),

cast_rows as (
    select
        source,
        stock_code,
        trade_date,
        stock_day,
        fetched_at,
        day_begins_at,
        minute_label,
        is_of_the_day,
        position,
        lag(position, 1, -1) over bars_of_the_day as position_before,
        {% for column in ['open_price', 'high_price', 'low_price', 'close_price', 'volume'] %}
        case when is_plain then {{ column }}::bigint end as {{ column }},
        {% endfor %}
        cumulative_value is null as has_no_total,
        case when is_plain then cumulative_value::bigint end
        - lag(case when is_plain then cumulative_value::bigint end, 1, 0::bigint) over bars_of_the_day as own_value,
        session,
        lag(session, 1, '') over bars_of_the_day as session_before,
        venue,
        fetch_id,
        row_number
    from with_session
    window bars_of_the_day as (partition by stock_day, is_of_the_day order by position)
),

glanced_at as materialized (
    select
        *,
        has_no_total or not is_of_the_day or own_value <= high_price * volume as is_explained,
        coalesce(
            position > position_before
            and (session <> '' or not is_of_the_day)
            and low_price > 0
            and low_price <= least(open_price, close_price)
            and greatest(open_price, close_price) <= high_price
            and (
                has_no_total
                or own_value >= low_price * volume
                -- the first bar of a session takes what was traded before it
                and (own_value <= high_price * volume or session <> session_before or not is_of_the_day)
                -- and one total goes on into the next within a day alone
                and (position_before = -1 or position / 1440 = position_before / 1440)
            ),
            false
        ) as is_sound
    from cast_rows
),

unsound_stock_days as materialized (
    select distinct stock_day from glanced_at
    where not is_sound
),

doubtful_cells as (
    select * from attempts
    where
        stock_day not in (select glanced_at.stock_day from glanced_at where glanced_at.position_before = -1)
        or stock_day in (select unsound_stock_days.stock_day from unsound_stock_days)
),

sound_rows as (
    select
        source,
        stock_code,
        trade_date,
        minute_label,
        case
            when is_of_the_day then day_begins_at + make_interval(mins => position)
            else (timestamp '1970-01-01' + make_interval(mins => position)) at time zone 'Asia/Seoul'
        end as started_at,
        venue,
        session,
        open_price::numeric as open_price,
        high_price::numeric as high_price,
        low_price::numeric as low_price,
        close_price::numeric as close_price,
        volume::numeric as volume,
        case when is_explained then own_value::numeric end as trading_value,
        -- the broker's last page goes on into the day before
        case when not is_of_the_day then 'OTHER_DAY' when volume = 0 then 'NO_TRADES' else '' end as broken_rules,
        '' as reviewed_rules,
        case when is_explained then '' else 'VALUE_NOT_TOLD' end as warned_rules,
        fetch_id,
        row_number,
        fetched_at as first_fetched_at,
        fetched_at,
        false as is_provisional
    from glanced_at
    where stock_day not in (select unsound_stock_days.stock_day from unsound_stock_days)
),
{%- endmacro %}
