-- Bars with all rules: those of every stock and day that casts do not settle. And those of plain days of which a rule
-- says something, so that everything that is kept back or warned of is found here without a look at what is published.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_minute'],
        'analyzed_by_day': ['trade_date', 'source', 'stock_code', 'venue', 'broken_rules', 'is_of_plain_day'],
    },
    indexes=[{'columns': ['trade_date']}],
) }}

{% set relations = {
    'stg_kis__time_dailychartprice': 'kis',
    'stg_kiwoom__minute_chart': 'kiwoom',
} %}

-- Part of a day's value that its bars need not explain: off-hours trades are in the running total and in no bar.
{% set unexplained_part = 0.01 %}

{% set at_hand = and_in_answers_to_days_to_rebuild('bars.fetch_id') %}

with

-- every successful answer of the days at hand, superseded ones too: they say when a bar was first carried
cells as (
    select * from {{ ref('int_minute_bars__cells') }}
    where true {{ and_in_days_to_rebuild('collection_date') }}
),

collected_days as (
    select distinct collection_date from cells
),

-- of the days at hand alone: thirty years would be compared with every bar where the planner knows nothing of either
calendar as (
    select
        calendar_days.date,
        calendar_days.opens_at,
        calendar_days.closes_at
    from {{ ref('trading_calendar') }} as calendar_days
    inner join collected_days on calendar_days.date = collected_days.collection_date
    where calendar_days.is_session
),

-- when each venue trades beside the regular session of the exchange
day_sessions as (
    select
        calendar.date,
        sessions.venue,
        sessions.session,
        (calendar.date + sessions.opens_at::time) at time zone 'Asia/Seoul' as opens_at,
        (calendar.date + sessions.closes_at::time) at time zone 'Asia/Seoul' as closes_at
    from calendar
    inner join {{ ref('trading_sessions') }} as sessions
        on
            calendar.date >= sessions.valid_from
            and (calendar.date < sessions.valid_to or sessions.valid_to is null)
),

plain_stock_days as not materialized (
    select * from {{ ref('int_minute_bars__plain_stock_days') }}
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

doubtful_cells as (
    select cells.*
    from cells
    left join plain_stock_days
        on
            cells.source = plain_stock_days.source
            and cells.scope = plain_stock_days.stock_code
            and cells.collection_date = plain_stock_days.trade_date
    where plain_stock_days.source is null
),

-- the day asked for decides where a bar belongs; `bar_date` is what it says of itself
unioned as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        cells.scope as stock_code,
        cells.collection_date as trade_date,
        bars.trade_date as bar_date,
        bars.minute_label,
        date_trunc('minute', bars.started_at) as started_at,
        bars.open_price,
        bars.high_price,
        bars.low_price,
        bars.close_price,
        bars.volume,
        bars.trading_value,
        bars.cumulative_value,
        bars.cumulative_volume,
        bars.venue,
        bars.unreadable_fields,
        bars.fetch_id,
        bars.row_number,
        cells.fetched_at,
        cells.attempt_id,
        cells.is_current,
        cells.is_provisional,
        bars.started_at is not null and bars.trade_date = cells.collection_date as is_of_the_day,
        bars.fetch_id * 100000 + bars.row_number as place,
        -- a walk back through several days begins with the last of them
        {{ 'bars.base_date' if source_name == 'kiwoom' else 'null::date' }} as base_date
    from doubtful_cells as cells
    inner join {{ ref(relation) }} as bars on cells.fetch_id = bars.fetch_id
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
        -- a minute that was not over when a session was looked at is no bar yet
        and (cells.told_until >= bars.started_at + interval '1 minute') is not false
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

compared as (
    select
        *,
        -- pages tell the newest first: later days that were asked for too stand before the day, earlier ones behind it.
        -- A bar of another day anywhere else is a bar of the day with a wrong date, or one too many
        (bar_date < trade_date and place > max(place) filter (where is_of_the_day) over attempts)
        or (
            bar_date > trade_date
            and bar_date <= base_date
            and place < min(place) filter (where is_of_the_day) over attempts
        ) as is_beside_the_day,
        min(fetched_at) over labels as first_fetched_at,
        count(*) filter (where is_current) over labels as copies,
        row_number() over (
            partition by source, stock_code, trade_date, bar_date, minute_label
            order by is_current desc, fetch_id desc, row_number
        ) as recency
    from unioned
    window
        labels as (partition by source, stock_code, trade_date, bar_date, minute_label),
        attempts as (partition by source, stock_code, trade_date, attempt_id)
),

-- pages that overlap repeat a bar; where the copies differ, nobody can tell which one is true. A later look at a
-- session that goes on is no other page: it replaces what an earlier one told. Gathered once, whatever the planner
-- expects: looks that overlap have many copies, and nearly none differs
conflicts as materialized (
    select
        source,
        stock_code,
        trade_date,
        minute_label,
        attempt_id
    from compared
    where copies > 1 and is_current and is_of_the_day
    group by source, stock_code, trade_date, minute_label, attempt_id
    having count(distinct array[open_price, high_price, low_price, close_price, volume, cumulative_value]) > 1
),

current_rows as (
    select
        compared.*,
        conflicts.minute_label is not null as is_conflicting,
        case
            when
                compared.venue <> 'NXT'
                and compared.started_at between calendar.opens_at and calendar.closes_at
                then 'REGULAR'
            -- a VI prolongs the closing auction; Nextrade, and so both venues together, trade again by then
            when
                compared.venue = 'KRX'
                and compared.started_at > calendar.closes_at
                and compared.started_at
                <= calendar.closes_at + make_interval(mins => {{ longest_closing_auction() }})
                then 'REGULAR'
            else day_sessions.session
        end as session
    from compared
    left join conflicts
        on
            compared.source = conflicts.source
            and compared.stock_code = conflicts.stock_code
            and compared.trade_date = conflicts.trade_date
            and compared.minute_label = conflicts.minute_label
            and compared.attempt_id = conflicts.attempt_id
    left join calendar on compared.trade_date = calendar.date
    left join day_sessions
        on
            compared.trade_date = day_sessions.date
            and compared.venue = day_sessions.venue
            and compared.started_at >= day_sessions.opens_at
            and compared.started_at < day_sessions.closes_at
    where compared.is_current and compared.recency = 1 and compared.is_beside_the_day is not true
),

-- every bar with trades, and the rows without any that follow it
numbered as (
    select
        *,
        count(*) filter (where (volume = 0) is not true) over (
            partition by source, stock_code, trade_date, is_of_the_day
            order by started_at, minute_label
        ) as traded_number
    from current_rows
),

-- nothing is taken back without a trade: a row without one that tells less than the bar before has no say in the totals
totalled as (
    select
        *,
        case
            when volume = 0 and cumulative_value < first_value(cumulative_value) over since_a_trade
                then first_value(cumulative_value) over since_a_trade
            else cumulative_value
        end as total_value,
        case
            when volume = 0 and cumulative_volume < first_value(cumulative_volume) over since_a_trade
                then first_value(cumulative_volume) over since_a_trade
            else cumulative_volume
        end as total_volume
    from numbered
    window since_a_trade as (
        partition by source, stock_code, trade_date, is_of_the_day, traded_number
        order by started_at, minute_label
    )
),

chained as (
    select
        *,
        row_number() over bars_of_the_day as bar_number,
        lag(total_value) over bars_of_the_day as total_before,
        lag(total_volume) over bars_of_the_day as shares_before,
        lag(session) over bars_of_the_day as session_before
    from totalled
    window bars_of_the_day as (
        partition by source, stock_code, trade_date, is_of_the_day
        order by started_at, minute_label
    )
),

-- the value of a minute is the difference of two running totals; the first bar of a day takes the total itself
valued as (
    select
        *,
        coalesce(trading_value, case when bar_number = 1 then total_value else total_value - total_before end)
            as own_value,
        (bar_number = 1 or coalesce(session, '') <> coalesce(session_before, '')) as is_after_a_break,
        (is_of_the_day and total_value < total_before) as is_falling
    from chained
),

explained as (
    select
        *,
        case
            when is_of_the_day then greatest(own_value - high_price * volume, low_price * volume - own_value, 0)
            else 0
        end as unexplained_value,
        -- shares that were traded between two bars, where the vendor counts those
        case
            when is_of_the_day then greatest(total_volume - shares_before - volume, 0) else 0
        end as unexplained_volume
    from valued
    -- `offset 0` keeps PostgreSQL from writing these expressions out wherever they are referred to, to compute them
    -- each time; it takes away nothing, in whatever order
    offset 0  -- noqa: AM09
),

-- what is wrong with a bar by itself
checked as (
    select
        *,
        array_remove(
            array[
                case when stock_code !~ '{{ minute_code_pattern() }}' then 'CODE_MALFORMED' end,
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case when started_at is null then 'LABEL_UNREADABLE' end,
                case when bar_date <> trade_date then 'OTHER_DAY' end,
                case when is_of_the_day and session is null then 'OUTSIDE_HOURS' end,
                case
                    when num_nulls(open_price, high_price, low_price, close_price, volume, venue) > 0
                        then 'VALUE_MISSING'
                end,
                case
                    when least(open_price, high_price, low_price, close_price, volume, cumulative_value) < 0
                        then 'VALUE_NEGATIVE'
                end,
                case
                    when
                        greatest(open_price, high_price, low_price, close_price) > 2147483647
                        or greatest(volume, own_value) > 1000000000000000
                        then 'VALUE_OUT_OF_RANGE'
                end,
                case
                    when
                        num_nonnulls(
                            nullif(open_price % 1, 0), nullif(high_price % 1, 0), nullif(low_price % 1, 0),
                            nullif(close_price % 1, 0)
                        ) > 0
                        then 'PRICE_NOT_WHOLE'
                end,
                case
                    when num_nonnulls(nullif(volume % 1, 0), nullif(cumulative_value % 1, 0)) > 0
                        then 'COUNT_NOT_WHOLE'
                end,
                case
                    when volume > 0 and least(open_price, high_price, low_price, close_price) = 0
                        then 'VOLUME_WITHOUT_PRICE'
                end,
                case
                    when
                        volume > 0
                        and not (
                            low_price <= least(open_price, close_price)
                            and greatest(open_price, close_price) <= high_price
                        )
                        then 'PRICE_ORDER'
                end,
                case when is_conflicting then 'CONFLICTING_DUPLICATE' end,
                case when is_falling then 'RUNNING_TOTAL_FALLS' end,
                case
                    -- too little cannot be explained; too much may be off-hours trades between two bars
                    when low_price * volume > own_value and not is_falling and not is_after_a_break
                        then 'RUNNING_TOTAL_MISMATCH'
                end
            ],
            null
        ) as broken_rules,
        -- a bar without a trade is none: some vendors repeat the one before. A volume that is not told is no such bar
        (volume = 0) is true as has_no_trades
    from explained
),

{% set reviewed = ['minute_bars', 'broken_rules', 'trade_date', 'minute_label'] %}
reviewed as (
    select
        *,
        {{ unreviewed(*reviewed) }} as broken_row_rules,
        {{ lifted_rules(*reviewed) }} as reviewed_rules
    from checked
    -- as above
    offset 0  -- noqa: AM09
),

-- what makes the bars of a whole stock and day doubtful, and rows that share a minute
judged as (
    select
        *,
        bool_or('CONFLICTING_DUPLICATE' = any(broken_row_rules) or 'RUNNING_TOTAL_FALLS' = any(broken_row_rules))
            over stock_days as has_doubtful_total,
        -- the first bar of a session takes what was traded before it, which says nothing of bars that are missing
        sum(unexplained_value) filter (where not is_after_a_break) over stock_days
        > {{ unexplained_part }} * max(cumulative_value) over stock_days as has_gap_in_value,
        sum(unexplained_volume) filter (where not is_after_a_break) over stock_days
        > {{ unexplained_part }} * max(cumulative_volume) over stock_days as has_gap_in_volume,
        max(cumulative_value) over stock_days is not null as has_totals,
        count(*) filter (where not has_no_trades) over minutes as rows_in_minute,
        bool_or(cardinality(broken_row_rules) > 0 and not has_no_trades) over minutes as has_broken_row_in_minute
    from reviewed
    window
        stock_days as (partition by source, stock_code, trade_date, is_of_the_day),
        minutes as (partition by source, stock_code, trade_date, is_of_the_day, started_at)
),

named as (
    select
        *,
        array_to_string(
            array_remove(
                array[
                    array_to_string(nullif(broken_row_rules, '{}'), ','),
                    case when is_of_the_day and has_no_trades then 'NO_TRADES' end,
                    case
                        when
                            is_of_the_day
                            and not has_no_trades
                            and cardinality(broken_row_rules) = 0
                            and has_doubtful_total
                            then 'HELD_WITH_ITS_DAY'
                        when
                            rows_in_minute > 1 and has_broken_row_in_minute and cardinality(broken_row_rules) = 0
                            then 'HELD_WITH_ITS_MINUTE'
                    end
                ],
                null
            ),
            ','
        ) as held_rules,
        -- where off-hours trades lie between two totals the value of the bar cannot be told; it is never guessed
        case when unexplained_value = 0 then own_value end as known_value,
        -- published without its value: the running total holds trades of no bar or is not told, or bars are missing
        case
            when
                not is_after_a_break
                and ((unexplained_value > 0 and has_gap_in_value) or (unexplained_volume > 0 and has_gap_in_volume))
                then 'RUNNING_TOTAL_GAP'
            when unexplained_value > 0 then 'VALUE_NOT_TOLD'
            when
                is_of_the_day
                and own_value is null
                and has_totals
                and cardinality(broken_row_rules) = 0
                and not has_no_trades
                then 'VALUE_NOT_TOLD'
            else ''
        end as warned_rules
    from judged
),

single_rows as (
    select
        source,
        stock_code,
        trade_date,
        minute_label,
        started_at,
        venue,
        session,
        open_price,
        high_price,
        low_price,
        close_price,
        volume,
        known_value as trading_value,
        held_rules as broken_rules,
        reviewed_rules,
        -- a warning is of what is published
        case when held_rules = '' then warned_rules else '' end as warned_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at,
        is_provisional
    from named
    where rows_in_minute <= 1 or held_rules <> ''
),

-- two rows that share a minute are one bar
merged_rows as (
    select
        source,
        stock_code,
        trade_date,
        min(minute_label) as minute_label,
        started_at,
        min(venue) as venue,
        min(session) as session,
        (array_agg(open_price order by minute_label))[1] as open_price,
        max(high_price) as high_price,
        min(low_price) as low_price,
        (array_agg(close_price order by minute_label desc))[1] as close_price,
        sum(volume) as volume,
        case when count(*) = count(known_value) then sum(known_value) end as trading_value,
        '' as broken_rules,
        max(reviewed_rules) as reviewed_rules,
        max(warned_rules) as warned_rules,
        (array_agg(fetch_id order by minute_label))[1] as fetch_id,
        (array_agg(row_number order by minute_label))[1] as row_number,
        min(first_fetched_at) as first_fetched_at,
        max(fetched_at) as fetched_at,
        bool_or(is_provisional) as is_provisional
    from named
    where rows_in_minute > 1 and held_rules = ''
    group by source, stock_code, trade_date, started_at
),

plain_stock_days_with_findings as (
    select * from plain_stock_days
    where broken_rules <> '' or warned_bar_count > 0
),

{{ plain_minute_bars('plain_stock_days_with_findings') }}

final as (
    select
        *,
        false as is_of_plain_day
    from single_rows
    union all
    select
        *,
        false as is_of_plain_day
    from merged_rows
    union all
    select
        *,
        true as is_of_plain_day
    from plain_bars
    where broken_rules <> '' or warned_rules <> ''
)

select * from final
