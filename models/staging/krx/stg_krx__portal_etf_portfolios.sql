{% set numbers = ['compst_isu_cu1_shrs', 'compst_amt', 'valu_amt', 'compst_rto'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat05001') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ krx_stock_code('fetches.request') }} as etf_code,
        {{ to_date8("fetches.request ->> 'trdDd'") }} as base_date,
        source_rows.compst_isu_cd as component_code,
        source_rows.compst_isu_cd2 as component_isin,
        source_rows.compst_isu_nm as component_name,
        nullif(nullif(source_rows.mkt_id, ''), '-') as vendor_market,
        nullif(nullif(source_rows.secugrp_id, ''), '-') as vendor_component_type,
        {{ to_number('source_rows.compst_isu_cu1_shrs') }} as shares,
        {{ to_number('source_rows.compst_amt') }} as valuation_krw,
        {{ to_number('source_rows.valu_amt') }} as previous_valuation_krw,
        {{ to_number('source_rows.compst_rto') }} as weight,
        null::numeric as total_valuation_krw,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
