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

fund_values as (
    select * from {{ ref('int_etf_values__unioned') }}
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

values_before as (
    select * from {{ ref('int_etf_values__unioned') }}
    where true {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
),

compared as (
    select
        fund_values.*,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional,
        case
            when values_before.source is not null
                then
                    (fund_values.net_asset_value, fund_values.net_assets)
                    = (values_before.net_asset_value, values_before.net_assets)
        end as is_copy
    from fund_values
    left join calendar on fund_values.trade_date = calendar.date
    left join answers_confirmed
        on
            fund_values.fetch_id = answers_confirmed.fetch_id
            and fund_values.trade_date = answers_confirmed.collection_date
    left join values_before
        on
            fund_values.source = values_before.source
            and fund_values.stock_code = values_before.stock_code
            and calendar.previous_session = values_before.trade_date
),

day_levels as (
    select
        source,
        trade_date,
        count(*) as item_count,
        {{ level_of('net_asset_value', 10) }} as value_level
    from {{ ref('int_etf_values__unioned') }}
    where
        (true {{ and_in_days_to_rebuild('trade_date') }})
        or (true {{ and_in_sessions_before_days_to_rebuild('trade_date', 5) }})
    group by source, trade_date
),

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
