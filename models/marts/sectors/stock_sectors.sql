{{ config(indexes=[{'columns': ['sector_id']}]) }}

with

current_sectors as (
    select * from {{ ref('int_stock_sectors__current') }}
),

sector_codes as (
    select
        sector_id,
        classification,
        sector_code
    from {{ ref('sector_codes') }}
),

final as (
    select
        {{ surrogate_id(['current_sectors.stock_code', 'current_sectors.classification']) }} as id,
        current_sectors.stock_code::varchar(10) as stock_code,
        current_sectors.classification::varchar(10) as classification,
        -- the deepest level that the seed knows
        coalesce(small.sector_id, medium.sector_id, large.sector_id) as sector_id,
        current_sectors.list_date as base_date,
        current_sectors.large_sector_code::varchar(20) as large_sector_code,
        current_sectors.medium_sector_code::varchar(20) as medium_sector_code,
        current_sectors.small_sector_code::varchar(20) as small_sector_code,
        current_sectors.source::varchar(20) as source,
        current_sectors.first_fetched_at as created_at
    from current_sectors
    {% for level in ['large', 'medium', 'small'] %}
    left join sector_codes as {{ level }}
        on
            current_sectors.classification = {{ level }}.classification
            and current_sectors.{{ level }}_sector_code = {{ level }}.sector_code
    {% endfor %}
)

select * from final
