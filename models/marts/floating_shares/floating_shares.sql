{{ config(
    meta={'day_column': 'base_date'},
    indexes=[{'columns': ['base_date']}],
) }}

with

floats as (
    select * from {{ ref('int_floating_shares__chosen') }}
),

final as (
    select
        {{ surrogate_id(['stock_code', 'trade_date']) }} as id,
        stock_code::varchar(10) as stock_code,
        trade_date as base_date,
        total_shares::bigint as total_shares,
        floating_shares::bigint as floating_shares,
        round(floating_ratio, 2)::numeric(5, 2) as floating_ratio,
        source::varchar(20) as source,
        first_carried_at as created_at
    from floats
)

select * from final
