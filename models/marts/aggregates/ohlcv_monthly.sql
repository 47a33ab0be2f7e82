{{ config(
    materialized='view',
    meta={'day_column': 'month', 'window_of': 'int_ohlcv_monthly__aggregated'},
) }}

{{ adjusted_bars_by_period('month', ref('int_ohlcv_monthly__aggregated')) }}
