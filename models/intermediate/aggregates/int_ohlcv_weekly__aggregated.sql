{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'week', 'datasets': ['ohlcv_daily'], 'period': 'week'},
    indexes=[{'columns': ['stock_code', 'week'], 'unique': true}, {'columns': ['week']}],
) }}

{{ bars_by_period('week') }}
