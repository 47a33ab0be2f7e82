with

source_rows as (
    select * from {{ source('infomax', 'infomax__stock_expired') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note('source_rows.code') }} as stock_code,
        source_rows.isin,
        nullif(trim(source_rows.kr_name), '') as stock_name,
        source_rows.market_type as vendor_market,
        source_rows.equity_type as vendor_security_type,
        {{ to_date8('source_rows.listed_date') }} as listing_date,
        {{ to_date8('source_rows.delisted_date') }} as delisting_date,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
