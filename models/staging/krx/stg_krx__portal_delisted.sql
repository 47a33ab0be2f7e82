{% set numbers = ['parval', 'list_shrs'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat23801') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.isu_cd as stock_code,
        null::text as isin,
        source_rows.isu_nm as stock_name,
        source_rows.mkt_nm as vendor_market,
        source_rows.secugrp_nm as vendor_security_type,
        nullif(nullif(source_rows.kind_stkcert_tp_nm, ''), '-') as stock_kind,
        {{ to_date8('source_rows.list_dd') }} as listing_date,
        {{ to_date8('source_rows.delist_dd') }} as delisting_date,
        nullif(nullif(trim(source_rows.delist_rsn_dsc), ''), '-') as delisting_reason,
        {{ to_date8('source_rows.arrantrd_mktact_enforce_dd') }} as liquidation_from,
        {{ to_date8('source_rows.arrantrd_end_dd') }} as liquidation_to,
        nullif(nullif(source_rows.idx_ind_nm, ''), '-') as industry_name,
        {{ to_number('source_rows.parval') }} as par_value,
        {{ to_number('source_rows.list_shrs') }} as listed_shares,
        nullif(nullif(source_rows.to_isu_srt_cd, ''), '-') as successor_code,
        nullif(nullif(source_rows.to_isu_abbrv, ''), '-') as successor_name,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
