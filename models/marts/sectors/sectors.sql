with

sector_codes as (
    select * from {{ ref('sector_codes') }}
),

carried as (
    select * from {{ ref('int_sectors__carried') }}
),

levels as (
    select
        sector_codes.*,
        parents.parent_sector_id as grandparent_sector_id,
        carried.first_fetched_at
    from sector_codes
    left join sector_codes as parents on sector_codes.parent_sector_id = parents.sector_id
    left join carried
        on
            sector_codes.classification = carried.classification
            and sector_codes.sector_code = carried.sector_code
),

-- a sector is known from the first answer that carried it or one below it
first_seen as (
    select
        ancestors.sector_id,
        min(levels.first_fetched_at) as first_fetched_at
    from levels
    cross join lateral (
        values (levels.sector_id), (levels.parent_sector_id), (levels.grandparent_sector_id)
    ) as ancestors (sector_id)
    where ancestors.sector_id is not null and levels.first_fetched_at is not null
    group by ancestors.sector_id
),

final as (
    select
        sector_codes.sector_id,
        sector_codes.sector_name::varchar(100) as sector_name,
        sector_codes.sector_code::varchar(20) as sector_code,
        sector_codes.parent_sector_id,
        sector_codes.classification::varchar(10) as classification,
        sector_codes.level::smallint as level,
        sector_codes.sector_name_en::varchar(100) as sector_name_en,
        first_seen.first_fetched_at as created_at
    from sector_codes
    inner join first_seen on sector_codes.sector_id = first_seen.sector_id
)

select * from final
