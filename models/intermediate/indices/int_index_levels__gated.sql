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

levels as (
    select * from {{ ref('int_index_levels__unioned') }}
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

levels_before as (
    select * from {{ ref('int_index_levels__unioned') }}
    where true {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
),

compared as (
    select
        levels.*,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional,
        case
            when levels_before.source is not null
                -- arrays are equal where both lack a value
                then array[levels.close, levels.volume] = array[levels_before.close, levels_before.volume]
        end as is_copy
    from levels
    left join calendar on levels.trade_date = calendar.date
    left join answers_confirmed
        on levels.fetch_id = answers_confirmed.fetch_id and levels.trade_date = answers_confirmed.collection_date
    left join levels_before
        on
            levels.source = levels_before.source
            and levels.index_name = levels_before.index_name
            and calendar.previous_session = levels_before.trade_date
),

day_levels as (
    select
        source,
        trade_date,
        count(*) as item_count,
        {{ level_of('close', 1) }} as close_level
    from {{ ref('int_index_levels__unioned') }}
    where
        (true {{ and_in_days_to_rebuild('trade_date') }})
        or (true {{ and_in_sessions_before_days_to_rebuild('trade_date', 5) }})
    group by source, trade_date
),

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
