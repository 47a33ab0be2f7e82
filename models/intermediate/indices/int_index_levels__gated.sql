-- Whether a source's day may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['index_daily'],
        'gates': 'index_daily',
        'with_next_sessions': 5,
    },
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('index_daily') }},

-- arrays are equal where both lack a value
{{ compared_with_session_before(
    ref('int_index_levels__unioned'),
    'index_name',
    'array[rows_at_hand.close, rows_at_hand.volume] = array[rows_before.close, rows_before.volume]'
) }},

{{ levels_of_days(ref('int_index_levels__unioned'), {'close_level': level_of('close', 1)}) }},

{{ compared_with_recent_days({'level_unit': 'close_level'}) }},

told_days as (
    select
        source,
        trade_date,
        count(*) as item_count,
        null::bigint as expected_count,
        max(fetched_at) as fetched_at,
        {{ part_of('close is null', 2) }} as null_share,
        {{ part_of('is_copy', 2) }} as stale_copy,
        {{ 'null' if clock_stands_still() else 'avg(is_provisional::integer)' }} as provisional
    from compared
    group by source, trade_date
),

measured as (
    select
        told_days.*,
        recent.level_unit,
        (calendar.is_session is not true)::integer as calendar
    from told_days
    left join recent on told_days.source = recent.source and told_days.trade_date = recent.trade_date
    left join calendar on told_days.trade_date = calendar.date
),

{{ gate_verdicts('index_daily', ['null_share', 'stale_copy', 'level_unit', 'calendar', 'provisional']) }}

select * from final
