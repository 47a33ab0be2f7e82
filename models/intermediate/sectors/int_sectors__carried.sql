-- Every sector code that a vendor has sent, with the first answer that carried it and the vendor's newest name for it
with

cells as (
    select
        fetch_id,
        max(fetched_at) as fetched_at
    from {{ ref('int_collection__successful_cells') }}
    where source = 'kis' and dataset = 'sectors' and scope = 'NAMES'
    group by fetch_id
),

names as (
    select * from {{ ref('stg_kis__idxcode') }}
),

versions as (
    select * from {{ ref('int_stock_sectors__versioned') }}
),

codes as (
    select
        versions.source,
        versions.classification,
        levels.sector_code,
        null::text as sector_name,
        versions.fetched_at
    from versions
    cross join lateral (
        values
            (versions.large_sector_code), (versions.medium_sector_code), (versions.small_sector_code)
    ) as levels (sector_code)
    where levels.sector_code is not null
    union all
    -- 0 and 1 are the sectors of KOSPI and KOSDAQ, the other families are indices
    select
        'kis' as source,
        'KRX' as classification,
        names.index_code as sector_code,
        names.index_name as sector_name,
        cells.fetched_at
    from cells
    inner join names on cells.fetch_id = names.fetch_id
    where names.market_code in ('0', '1')
),

final as (
    select
        classification,
        sector_code,
        (array_remove(array_agg(sector_name order by fetched_at desc), null))[1] as vendor_sector_name,
        bool_or(sector_name is null) as has_stocks,
        min(source) as source,
        min(fetched_at) as first_fetched_at
    from codes
    group by classification, sector_code
)

select * from final
