{{ config(
    materialized='view',
    meta={'day_column': 'week', 'window_of': 'int_ohlcv_weekly__aggregated'},
) }}

{{ adjusted_bars_by_period('week', ref('int_ohlcv_weekly__aggregated')) }}
