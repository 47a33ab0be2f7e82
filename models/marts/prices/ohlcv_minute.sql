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
    select * from {{ ref('int_minute_bars__unioned') }}
    where broken_rules = ''
    {{ and_in_days_to_rebuild('trade_date') }}
),

-- and not the bars of int_minute_bars__chosen: the days are named on both sides, so that neither is read as a whole
stock_days as (
    select * from {{ ref('int_minute_bars__chosen_stock_days') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        bars.started_at as time,
        bars.stock_code::varchar(10) as stock_code,
        bars.open_price::integer as open_price,
        bars.high_price::integer as high_price,
        bars.low_price::integer as low_price,
        bars.close_price::integer as close_price,
        bars.volume::bigint as volume,
        bars.trading_value::bigint as trading_value,
        bars.session::varchar(20) as session,
        bars.venue::varchar(10) as venue,
        bars.source::varchar(20) as source,
        stock_days.is_provisional,
        bars.first_fetched_at as created_at
    from bars
    inner join stock_days
        on
            bars.trade_date = stock_days.trade_date
            and bars.stock_code = stock_days.stock_code
            and bars.source = stock_days.source
            and bars.venue = stock_days.venue
)

select * from final
