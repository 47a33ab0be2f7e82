{% set numbers = ['flo_stk', 'dstr_stk', 'dstr_rt'] %}

with

source_rows as (
    select * from {{ source('kiwoom', 'kiwoom__ka10001') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        regexp_replace(source_rows.stk_cd, '^A', '') as stock_code,
        -- the answer tells today's state and bears no date
        null::date as base_date,
        -- thousand shares
        {{ to_number('source_rows.dstr_stk') }} * 1000 as floating_shares,
        {{ to_number('source_rows.flo_stk') }} * 1000 as total_shares,
        {{ to_number('source_rows.dstr_rt') }} as floating_ratio,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
