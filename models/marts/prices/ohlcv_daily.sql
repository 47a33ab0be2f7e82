{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'time',
        'datasets': ['ohlcv_daily'],
        'held_by': 'ohlcv_daily',
        'part_held_by': {'etf_prices': 'is_of_a_fund'},
        'timeseries': {
            'native_partitions': none,
            'chunk_interval': 'timeseries_daily_chunk_interval',
            'aggregated_by': 'aggregated_bars',
            'aggregates': {'ohlcv_weekly': 'week', 'ohlcv_monthly': 'month'},
        },
    },
    indexes=[{'columns': ['time']}],
) }}

-- the funds of a day that is held stay: depends_on: {{ ref('stocks') }}
with

daily_prices as (
    select * from {{ ref('int_daily_prices__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        trade_date as time,
        stock_code::varchar(10) as stock_code,
        open_price::integer as open_price,
        high_price::integer as high_price,
        low_price::integer as low_price,
        close_price::integer as close_price,
        base_price::integer as base_price,
        volume::bigint as volume,
        trading_value::bigint as trading_value,
        is_suspended,
        source::varchar(20) as source,
        first_carried_at as created_at
    from daily_prices
)

select * from final
