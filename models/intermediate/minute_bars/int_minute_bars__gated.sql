-- Whether a source's day may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_minute'],
        'gates': 'ohlcv_minute',
        'with_next_sessions': 1,
    },
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

calendar as (
    select
        date,
        is_session,
        previous_session
    from {{ ref('trading_calendar') }}
),

stock_days as (
    select
        source,
        stock_code,
        trade_date,
        sum(bar_count) as bar_count,
        sum(bars_with_null) as bars_with_null,
        sum(volume) as volume,
        sum(closes) as closes,
        sum(trading_value) / nullif(sum(value_by_closes), 0) as value_ratio,
        max(fetched_at) as fetched_at
    from {{ ref('int_minute_bars__summed') }}
    where true {{ and_in_days_to_rebuild('trade_date') }}
    group by source, stock_code, trade_date
),

stock_days_before as (
    select
        source,
        stock_code,
        trade_date,
        sum(bar_count) as bar_count,
        sum(volume) as volume,
        sum(closes) as closes
    from {{ ref('int_minute_bars__summed') }}
    where true {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
    group by source, stock_code, trade_date
),

compared as (
    select
        stock_days.*,
        case
            when stock_days.volume > 0 and stock_days_before.source is not null
                then
                    (stock_days.bar_count, stock_days.volume, stock_days.closes)
                    = (stock_days_before.bar_count, stock_days_before.volume, stock_days_before.closes)
        end as is_copy
    from stock_days
    left join calendar on stock_days.trade_date = calendar.date
    left join stock_days_before
        on
            stock_days.source = stock_days_before.source
            and stock_days.stock_code = stock_days_before.stock_code
            and calendar.previous_session = stock_days_before.trade_date
),

told_days as (
    select
        source,
        trade_date,
        count(*) as item_count,
        null::bigint as expected_count,
        max(fetched_at) as fetched_at,
        case when count(*) >= 10 then sum(bars_with_null) / nullif(sum(bar_count), 0) end as null_share,
        {{ part_of('is_copy', 10) }} as stale_copy,
        {{ median_of('value_ratio', 10) }} as value_unit
    from compared
    group by source, trade_date
),

measured as (
    select
        told_days.*,
        (calendar.is_session is not true)::integer as calendar
    from told_days
    left join calendar on told_days.trade_date = calendar.date
),

{{ gate_verdicts('ohlcv_minute', ['null_share', 'stale_copy', 'value_unit', 'calendar']) }}

select * from final
