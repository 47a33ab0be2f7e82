-- What the minutes of a stock and day come to: read by the gates and by the choice of a source, which need no bar then.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['ohlcv_minute'], 'analyzed_by_day': true},
    indexes=[{'columns': ['trade_date']}],
) }}

with

bars as (
    select * from {{ ref('int_minute_bars__unioned') }}
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        trade_date,
        source,
        stock_code,
        venue,
        count(*) as bar_count,
        count(*) filter (where broken_rules = '') as sound_bar_count,
        count(*) filter (where num_nulls(close_price, volume) > 0) as bars_with_null,
        sum(volume) as volume,
        sum(close_price) as closes,
        sum(trading_value) as trading_value,
        sum(volume * close_price) filter (where trading_value is not null) as value_by_closes,
        -- rows of a warehouse that was built before sessions could be looked at while they go on say nothing
        coalesce(bool_or(is_provisional) filter (where broken_rules = ''), false) as is_provisional,
        max(fetched_at) as fetched_at
    from bars
    group by trade_date, source, stock_code, venue
)

select * from final
