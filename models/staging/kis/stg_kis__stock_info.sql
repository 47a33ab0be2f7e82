with

source_rows as (
    select * from {{ source('kis', 'kis__search_stock_info') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note("fetches.request ->> 'PDNO'") }} as stock_code,
        nullif(trim(source_rows.std_pdno), '') as isin,
        {{ to_date8("fetches.request ->> 'base_date'") }} as list_date,
        nullif(trim(source_rows.prdt_abrv_name), '') as stock_name,
        nullif(trim(source_rows.prdt_eng_name), '') as stock_name_en,
        nullif(trim(source_rows.mket_id_cd), '') as vendor_market,
        null::text as board_section,
        nullif(trim(source_rows.scty_grp_id_cd), '') as vendor_security_type,
        nullif(trim(source_rows.stck_kind_cd), '') as stock_kind,
        coalesce(
            {{ to_date8('trim(source_rows.kosdaq_mket_lstg_dt)') }},
            {{ to_date8('trim(source_rows.scts_mket_lstg_dt)') }}
        ) as listing_date,
        {{ to_date8('trim(source_rows.lstg_abol_dt)') }} as delisting_date,
        {{ to_number('source_rows.lstg_stqt') }} as listed_shares,
        {{ unreadable_fields(['lstg_stqt'], 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
