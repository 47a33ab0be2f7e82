{% set numbers = ['stck_oprc', 'stck_hgpr', 'stck_lwpr', 'stck_clpr', 'acml_vol', 'acml_tr_pbmn'] %}

with

source_rows as (
    select * from {{ source('kis', 'kis__inquire_daily_itemchartprice_adjusted') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note("fetches.request ->> 'FID_INPUT_ISCD'") }} as stock_code,
        {{ to_date8('source_rows.stck_bsop_date') }} as trade_date,
        {{ to_number('source_rows.stck_oprc') }} as open_price,
        {{ to_number('source_rows.stck_hgpr') }} as high_price,
        {{ to_number('source_rows.stck_lwpr') }} as low_price,
        {{ to_number('source_rows.stck_clpr') }} as close_price,
        {{ to_number('source_rows.acml_vol') }} as volume,
        {{ to_number('source_rows.acml_tr_pbmn') }} as trading_value,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
