with

source_rows as (
    select * from {{ source('krx', 'krx__finder_listdelisu') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.short_code as stock_code,
        source_rows.full_code as isin,
        source_rows.code_name as stock_name,
        source_rows.market_code as vendor_market,
        source_rows.market_name as vendor_market_name,
        source_rows.market_eng_name as vendor_market_name_en,
        source_rows.short_code ~ '^[0-9][0-9A-Z]{5}$' as is_stock,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
