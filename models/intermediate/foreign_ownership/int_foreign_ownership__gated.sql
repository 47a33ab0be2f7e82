-- Whether a source's day may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['foreign_ownership_daily'],
        'gates': 'foreign_ownership_daily',
        'with_next_sessions': 5,
    },
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('foreign_ownership_daily') }},

ownership as (
    select * from {{ ref('int_foreign_ownership__unioned') }}
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

ownership_before as (
    select * from {{ ref('int_foreign_ownership__unioned') }}
    where true {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
),

present as (
    select
        source,
        trade_date,
        stock_code
    from ownership
),

{{ names_listed() }},

compared as (
    select
        ownership.*,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional,
        case
            when ownership.owned_shares > 0 and ownership_before.source is not null
                then ownership.owned_shares = ownership_before.owned_shares
        end as is_copy
    from ownership
    left join calendar on ownership.trade_date = calendar.date
    left join answers_confirmed
        on
            ownership.fetch_id = answers_confirmed.fetch_id
            and ownership.trade_date = answers_confirmed.collection_date
    left join ownership_before
        on
            ownership.source = ownership_before.source
            and ownership.stock_code = ownership_before.stock_code
            and calendar.previous_session = ownership_before.trade_date
),

day_levels as (
    select
        source,
        trade_date,
        count(*) as item_count,
        {{ level_of('owned_shares', 10) }} as shares_level
    from {{ ref('int_foreign_ownership__unioned') }}
    where
        (true {{ and_in_days_to_rebuild('trade_date') }})
        or (true {{ and_in_sessions_before_days_to_rebuild('trade_date', 5) }})
    group by source, trade_date
),

{{ compared_with_recent_days({'shares_unit': 'shares_level'}) }},

told_days as (
    select
        source,
        trade_date,
        count(*) as item_count,
        max(fetched_at) as fetched_at,
        {{ part_of('num_nulls(owned_shares, ownership_ratio) > 0', 20) }} as null_share,
        {{ part_of('is_copy', 20) }} as stale_copy,
        {{ 'null' if clock_stands_still() else 'avg(is_provisional::integer)' }} as provisional
    from compared
    group by source, trade_date
),

measured as (
    select
        told_days.*,
        recent.shares_unit,
        names_counted.expected_count,
        names_counted.part_of_listed as row_count,
        (calendar.is_session is not true)::integer as calendar
    from told_days
    left join recent on told_days.source = recent.source and told_days.trade_date = recent.trade_date
    left join names_counted
        on told_days.source = names_counted.source and told_days.trade_date = names_counted.trade_date
    left join calendar on told_days.trade_date = calendar.date
),

{{ gate_verdicts('foreign_ownership_daily', [
    'row_count', 'null_share', 'stale_copy', 'shares_unit', 'calendar', 'provisional',
]) }}

select * from final
