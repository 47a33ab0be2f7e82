{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'month', 'datasets': ['investor_trading', 'ohlcv_daily'], 'period': 'month'},
    indexes=[{'columns': ['month', 'investor_type']}],
) }}

{{ flows_by_period('month') }}
