{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'time', 'datasets': ['investor_trading', 'ohlcv_daily'], 'held_by': 'investor_trading'},
    indexes=[{'columns': ['time', 'investor_type']}],
) }}

with

flows as (
    select * from {{ ref('int_investor_trading__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        trade_date as time,
        stock_code::varchar(10) as stock_code,
        investor_code::varchar(20) as investor_type,
        (buy_volume - sell_volume)::bigint as net_buy_volume,
        (buy_value - sell_value)::bigint as net_buy_value,
        buy_volume::bigint as buy_volume,
        sell_volume::bigint as sell_volume,
        buy_value::bigint as buy_value,
        sell_value::bigint as sell_value,
        source::varchar(20) as source,
        first_carried_at as created_at
    from flows
)

select * from final
