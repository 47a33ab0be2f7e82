{% set numbers = ['apt_shr_cnt', 'mkt_val', 'wgt'] %}

with

source_rows as (
    select * from {{ source('wics', 'wics__get_index_componets') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.cmp_cd as stock_code,
        {{ to_date8("fetches.request ->> 'dt'") }} as list_date,
        {{ to_date8("fetches.request ->> 'dt'") }} as base_date,
        'WICS'::text as classification,
        source_rows.cmp_kor as stock_name,
        -- a code of the second level begins with the one of the first
        left(source_rows.idx_cd, 3) as large_sector_code,
        case when source_rows.sec_cd = left(source_rows.idx_cd, 3) then source_rows.sec_nm_kor end as large_sector_name,
        case when length(source_rows.idx_cd) > 3 then source_rows.idx_cd end as medium_sector_code,
        case
            when length(source_rows.idx_cd) > 3 then regexp_replace(source_rows.idx_nm_kor, '^WICS +', '')
        end as medium_sector_name,
        {{ to_number('source_rows.apt_shr_cnt', is_json=true) }} as floating_shares,
        null::numeric as total_shares,
        null::numeric as floating_ratio,
        {{ to_number('source_rows.mkt_val', is_json=true) }} * 1000000 as float_market_value,
        {{ to_number('source_rows.wgt', is_json=true) }} as index_weight,
        {{ unreadable_fields(numbers, 'source_rows', is_json=true) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
