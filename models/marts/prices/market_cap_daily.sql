{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'time',
        'datasets': ['ohlcv_daily'],
        'held_by': 'ohlcv_daily',
        'part_held_by': {'etf_prices': 'is_of_a_fund'},
        'timeseries': {'native_partitions': none, 'chunk_interval': 'timeseries_daily_chunk_interval'},
    },
    indexes=[{'columns': ['time']}],
) }}

-- the funds of a day that is held stay: depends_on: {{ ref('stocks') }}
with

daily_prices as (
    select * from {{ ref('int_daily_prices__chosen') }}
    -- a broker's bar has no listed shares
    where listed_shares is not null
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        trade_date as time,
        stock_code::varchar(10) as stock_code,
        -- computed and not copied, so that it holds on every row whatever the vendor rounds
        (close_price * listed_shares)::bigint as market_cap,
        listed_shares::bigint as shares_outstanding,
        first_carried_at as created_at
    from daily_prices
)

select * from final
