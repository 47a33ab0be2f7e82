{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'time',
        'day_is_moment': true,
        'datasets': ['ohlcv_minute'],
        'held_by': 'ohlcv_minute',
        'timeseries': {'native_partitions': 'month', 'chunk_interval': 'timeseries_chunk_interval'},
    },
    indexes=[{'columns': ['time']}],
) }}

with

bars as (
    select * from {{ ref('int_minute_bars__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        started_at as time,
        stock_code::varchar(10) as stock_code,
        open_price::integer as open_price,
        high_price::integer as high_price,
        low_price::integer as low_price,
        close_price::integer as close_price,
        volume::bigint as volume,
        trading_value::bigint as trading_value,
        session::varchar(20) as session,
        venue::varchar(10) as venue,
        source::varchar(20) as source,
        is_provisional,
        first_carried_at as created_at
    from bars
)

select * from final
