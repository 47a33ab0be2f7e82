with

source_rows as (
    select * from {{ source('infomax', 'infomax__index_code') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.code as vendor_index,
        source_rows.kr_name as index_name_ko,
        source_rows.en_name as index_name_en,
        source_rows.index_type as vendor_index_type,
        source_rows.strat_type as vendor_strategy_type,
        source_rows.return_type,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
