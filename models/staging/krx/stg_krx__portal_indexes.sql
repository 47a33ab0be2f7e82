{% set numbers = ['bas_idx_contn', 'compst_isu_cnt'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat00401') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.ind_tp_cd || '/' || source_rows.idx_ind_cd as vendor_index,
        source_rows.idx_nm as index_name_ko,
        source_rows.idx_eng_nm as index_name_en,
        {{ to_date8("replace(source_rows.bas_tm_contn, '.', '-')") }} as base_date,
        {{ to_date8("replace(source_rows.annc_tm_contn, '.', '-')") }} as announced_date,
        {{ to_number('source_rows.bas_idx_contn') }} as base_level,
        source_rows.calc_cycle_contn as calculation_cycle,
        source_rows.calc_tm_contn as calculation_hours,
        {{ to_number('source_rows.compst_isu_cnt') }} as member_count,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
