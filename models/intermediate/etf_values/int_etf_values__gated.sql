-- Whether a source's day may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['etf_daily'],
        'gates': 'etf_daily',
        'with_next_sessions': 5,
    },
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('etf_daily') }},

{{ compared_with_session_before(
    ref('int_etf_values__unioned'),
    'stock_code',
    '(rows_at_hand.net_asset_value, rows_at_hand.net_assets) = (rows_before.net_asset_value, rows_before.net_assets)'
) }},

{{ levels_of_days(ref('int_etf_values__unioned'), {'value_level': level_of('net_asset_value', 10)}) }},

{{ compared_with_recent_days({'level_unit': 'value_level'}) }},

told_days as (
    select
        source,
        trade_date,
        count(*) as item_count,
        max(fetched_at) as fetched_at,
        {{ part_of('net_asset_value is null', 20) }} as null_share,
        {{ part_of('is_copy', 10) }} as stale_copy,
        {{ 'null' if clock_stands_still() else 'avg(is_provisional::integer)' }} as provisional
    from compared
    group by source, trade_date
),

measured as (
    select
        told_days.*,
        recent.recent_count as expected_count,
        recent.level_unit,
        case when recent.recent_count >= 20 then told_days.item_count::numeric / recent.recent_count end as row_count,
        (calendar.is_session is not true)::integer as calendar
    from told_days
    left join recent on told_days.source = recent.source and told_days.trade_date = recent.trade_date
    left join calendar on told_days.trade_date = calendar.date
),

{{ gate_verdicts('etf_daily', ['row_count', 'null_share', 'stale_copy', 'level_unit', 'calendar', 'provisional']) }}

select * from final
