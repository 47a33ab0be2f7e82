{{ config(indexes=[{'columns': ['stock_code']}, {'columns': ['index_name', 'effective_date', 'end_date']}]) }}

with

-- what is believed now
versions as (
    select * from {{ ref('index_components_history') }}
    where known_to is null
),

final as (
    select
        {{ surrogate_id(['index_name', 'stock_code', 'valid_from']) }} as id,
        index_name,
        stock_code,
        valid_from as effective_date,
        valid_to as end_date,
        announced_date,
        source,
        created_at
    from versions
)

select * from final
