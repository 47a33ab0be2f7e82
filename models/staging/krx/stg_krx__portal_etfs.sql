{% set numbers = ['list_shrs', 'cu_qty', 'etf_tot_fee'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat04601') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.isu_srt_cd as stock_code,
        source_rows.isu_cd as isin,
        source_rows.isu_abbrv as stock_name,
        source_rows.isu_nm as fund_name,
        nullif(nullif(source_rows.isu_eng_nm, ''), '-') as stock_name_en,
        {{ to_date8('source_rows.list_dd') }} as listing_date,
        source_rows.etf_obj_idx_nm as underlying_index,
        source_rows.idx_calc_inst_nm1 as index_agency,
        source_rows.idx_calc_inst_nm2 as tracking_multiple,
        source_rows.etf_replica_methd_tp_cd as replication_method,
        source_rows.idx_mkt_clss_nm as underlying_market,
        source_rows.idx_asst_clss_nm as asset_class,
        source_rows.com_abbrv as manager_name,
        source_rows.tax_tp_cd as taxation,
        {{ to_number('source_rows.list_shrs') }} as listed_shares,
        {{ to_number('source_rows.cu_qty') }} as creation_unit_shares,
        {{ to_number('source_rows.etf_tot_fee') }} as total_fee_rate,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
