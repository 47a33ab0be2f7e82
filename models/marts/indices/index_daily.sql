{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'time', 'datasets': ['index_daily'], 'held_by': 'index_daily'},
    indexes=[{'columns': ['time']}],
) }}

with

levels as (
    select * from {{ ref('int_index_levels__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        trade_date as time,
        index_name::varchar(50) as index_name,
        open::numeric(18, 4) as open,
        high::numeric(18, 4) as high,
        low::numeric(18, 4) as low,
        close::numeric(18, 4) as close,
        volume::bigint as volume,
        trading_value::bigint as trading_value,
        market_cap::bigint as market_cap,
        source::varchar(20) as source,
        first_carried_at as created_at
    from levels
)

select * from final
