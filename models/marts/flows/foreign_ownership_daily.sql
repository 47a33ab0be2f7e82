{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'time', 'datasets': ['foreign_ownership_daily'], 'held_by': 'foreign_ownership_daily'},
    indexes=[{'columns': ['time']}],
) }}

with

ownership as (
    select * from {{ ref('int_foreign_ownership__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

final as (
    select
        trade_date as time,
        stock_code::varchar(10) as stock_code,
        owned_shares::bigint as owned_shares,
        ownership_ratio::numeric(7, 4) as ownership_ratio,
        limit_ratio::numeric(7, 4) as limit_ratio,
        source::varchar(20) as source,
        first_carried_at as created_at
    from ownership
)

select * from final
