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

-- one source and venue speaks for a stock and day
chosen as (
    select * from {{ ref('int_minute_bars__chosen_stock_days') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

plain_stock_days as (
    select stock_days.*
    from {{ ref('int_minute_bars__plain_stock_days') }} as stock_days
    inner join chosen
        on
            stock_days.trade_date = chosen.trade_date
            and stock_days.stock_code = chosen.stock_code
            and stock_days.source = chosen.source
            and stock_days.venue = chosen.venue
    where true
    {{ and_in_days_to_rebuild('stock_days.trade_date') }}
),

{{ plain_minute_bars('plain_stock_days') }}

doubtful_bars as (
    select
        bars.*,
        chosen.is_provisional as is_of_provisional_day
    from {{ ref('int_minute_bars__doubtful') }} as bars
    inner join chosen
        on
            bars.trade_date = chosen.trade_date
            and bars.stock_code = chosen.stock_code
            and bars.source = chosen.source
            and bars.venue = chosen.venue
    where
        not bars.is_of_plain_day
        {{ and_in_days_to_rebuild('bars.trade_date') }}
),

{% set columns = [
    'started_at', 'stock_code', 'open_price', 'high_price', 'low_price', 'close_price', 'volume', 'trading_value', 'session',
    'venue', 'source', 'first_fetched_at',
] %}
bars as (
    select
        {% for column in columns %}
        {{ column }},
        {% endfor %}
        is_provisional
    from plain_bars
    where broken_rules = ''
    union all
    select
        {% for column in columns %}
        {{ column }},
        {% endfor %}
        is_of_provisional_day as is_provisional
    from doubtful_bars
    where broken_rules = ''
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
        first_fetched_at as created_at
    from bars
)

select * from final
