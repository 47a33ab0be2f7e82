{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'week', 'datasets': ['investor_trading', 'ohlcv_daily'], 'period': 'week'},
    indexes=[{'columns': ['week', 'investor_type']}],
) }}

{{ flows_by_period('week') }}
