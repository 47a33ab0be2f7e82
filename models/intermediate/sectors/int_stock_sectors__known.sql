-- What was believed to be the sector of a stock, one row per classification, stock and span of knowledge time.
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
        current_sectors.classification,
        current_sectors.stock_code,
        sector_codes.sector_id,
        current_sectors.fetched_at as known_from,
        null::timestamptz as known_to,
        'OBSERVED' as known_basis
    from current_sectors
    inner join sector_codes
        on
            current_sectors.classification = sector_codes.classification
            and current_sectors.large_sector_code = sector_codes.sector_code
)

select * from final
