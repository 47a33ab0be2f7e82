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

{{ compared_with_session_before(
    ref('int_foreign_ownership__unioned'),
    'stock_code',
    'case when rows_at_hand.owned_shares > 0 then rows_at_hand.owned_shares = rows_before.owned_shares end'
) }},

present as (
    select
        source,
        trade_date,
        stock_code
    from rows_at_hand
),

{{ names_listed() }},

{{ levels_of_days(ref('int_foreign_ownership__unioned'), {'shares_level': level_of('owned_shares', 10)}) }},

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
