{{ config(
    materialized='view',
    meta={'day_column': 'trade_date', 'window_of': 'ohlcv_minute'},
) }}

{{ minute_bars_of(60) }}
