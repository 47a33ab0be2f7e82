{% set numbers = ['parval', 'list_shrs'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat01901') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.isu_srt_cd as stock_code,
        source_rows.isu_cd as isin,
        source_rows.isu_abbrv as stock_name,
        nullif(nullif(source_rows.isu_eng_nm, ''), '-') as stock_name_en,
        source_rows.mkt_tp_nm as vendor_market,
        nullif(nullif(source_rows.sect_tp_nm, ''), '-') as board_section,
        source_rows.secugrp_nm as vendor_security_type,
        source_rows.kind_stkcert_tp_nm as stock_kind,
        {{ to_date8('source_rows.list_dd') }} as listing_date,
        case when source_rows.parval <> '무액면' then {{ to_number('source_rows.parval') }} end as par_value,
        {{ to_number('source_rows.list_shrs') }} as listed_shares,
        source_rows.parval = '무액면' as has_no_par_value,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
