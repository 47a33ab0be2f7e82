{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'month', 'datasets': ['ohlcv_daily'], 'period': 'month'},
    indexes=[{'columns': ['stock_code', 'month'], 'unique': true}, {'columns': ['month']}],
) }}

{{ bars_by_period('month') }}
