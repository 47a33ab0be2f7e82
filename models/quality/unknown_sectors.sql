-- Sector codes that stocks carry and the seed of codes lacks: their stocks keep the code, and no sector_id
with

carried as (
    select * from {{ ref('int_sectors__carried') }}
),

stock_sectors as (
    select * from {{ ref('stock_sectors') }}
),

sector_codes as (
    select
        classification,
        sector_code,
        sector_name
    from {{ ref('sector_codes') }}
),

counts as (
    select
        stock_sectors.classification,
        levels.sector_code,
        count(*) as stocks
    from stock_sectors
    cross join lateral (
        values
            (stock_sectors.large_sector_code),
            (stock_sectors.medium_sector_code),
            (stock_sectors.small_sector_code)
    ) as levels (sector_code)
    where levels.sector_code is not null
    group by stock_sectors.classification, levels.sector_code
),

final as (
    select
        carried.classification,
        carried.sector_code,
        carried.vendor_sector_name,
        carried.source,
        coalesce(counts.stocks, 0) as stocks,
        format(
            'add to seeds/reference/sector_codes.csv: sector_id,%s,level,%s,%s,English name,parent_sector_id',
            carried.classification, carried.sector_code, coalesce(carried.vendor_sector_name, 'name')
        ) as what_to_do,
        carried.first_fetched_at
    from carried
    left join sector_codes
        on carried.classification = sector_codes.classification and carried.sector_code = sector_codes.sector_code
    left join counts
        on carried.classification = counts.classification and carried.sector_code = counts.sector_code
    where carried.has_stocks and sector_codes.sector_code is null
)

select * from final
