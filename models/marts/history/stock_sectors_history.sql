{{ config(indexes=[{'columns': ['stock_code', 'valid_from']}]) }}

with

states as (
    select * from {{ ref('int_stock_sectors__known') }}
),

versions as (
    {{ versions_of_states('states', ['classification', 'stock_code'], ['sector_id', 'source']) }}
),

final as (
    select
        {{ surrogate_id(['classification', 'stock_code', 'valid_from', 'known_from']) }} as id,
        stock_code::varchar(10) as stock_code,
        classification::varchar(10) as classification,
        valid_from,
        valid_to,
        is_current,
        sector_id,
        known_from,
        known_to,
        known_basis,
        source
    from versions
)

select * from final
