{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'time',
        'datasets': ['investor_trading', 'ohlcv_daily'],
        'held_by': 'investor_trading',
        'timeseries': {
            'native_partitions': none,
            'chunk_interval': 'timeseries_daily_chunk_interval',
            'aggregated_by': 'aggregated_flows',
            'aggregates': {'investor_trading_weekly': 'week', 'investor_trading_monthly': 'month'},
        },
    },
    indexes=[{'columns': ['time', 'investor_type']}],
) }}

with

flows as (
    select * from {{ ref('int_investor_trading__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

summed as (
    select
        trade_date,
        stock_code,
        published_type as investor_type,
        source,
        sum(buy_volume) as buy_volume,
        sum(sell_volume) as sell_volume,
        sum(buy_value) as buy_value,
        sum(sell_value) as sell_value,
        -- a source without pension per stock has none of its leaves
        bool_or(bool_or(investor_code = 'PENSION')) over (partition by trade_date, stock_code) as has_pension,
        min(first_carried_at) as first_carried_at
    from flows
    group by trade_date, stock_code, published_type, source
),

final as (
    select
        trade_date as time,
        stock_code::varchar(10) as stock_code,
        investor_type::varchar(20) as investor_type,
        (buy_volume - sell_volume)::bigint as net_buy_volume,
        (buy_value - sell_value)::bigint as net_buy_value,
        buy_volume::bigint as buy_volume,
        sell_volume::bigint as sell_volume,
        buy_value::bigint as buy_value,
        sell_value::bigint as sell_value,
        has_pension,
        source::varchar(20) as source,
        first_carried_at as created_at
    from summed
)

select * from final
