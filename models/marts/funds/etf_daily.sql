{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'time', 'datasets': ['etf_daily'], 'held_by': 'etf_daily'},
    indexes=[{'columns': ['time']}],
) }}

with

fund_values as (
    select * from {{ ref('int_etf_values__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        trade_date as time,
        stock_code::varchar(10) as stock_code,
        net_asset_value::numeric(18, 2) as net_asset_value,
        net_assets::bigint as net_assets,
        close_price::integer as close_price,
        (100 * (close_price / net_asset_value - 1))::numeric(18, 4) as disparity_rate,
        underlying_index::varchar(200) as underlying_index,
        underlying_level::numeric(18, 4) as underlying_level,
        source::varchar(20) as source,
        first_carried_at as created_at
    from fund_values
)

select * from final
