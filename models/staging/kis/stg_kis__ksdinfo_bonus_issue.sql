{% set numbers = ['fix_rate', 'issue_stk_qty', 'tot_issue_stk_qty'] %}

with

source_rows as (
    select * from {{ source('kis', 'kis__ksdinfo_bonus_issue') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        -- eight or nine characters stand for what is no share; a leading A is the market's prefix
        regexp_replace(trim(source_rows.sht_cd), '^A([0-9A-Z]{6})$', '\1') as stock_code,
        {{ to_date8('trim(source_rows.record_date)') }} as record_date,
        {{ to_date8('trim(source_rows.right_dt)') }} as ex_right_date,
        {{ to_date8('trim(source_rows.list_date)') }} as listing_date,
        nullif(trim(source_rows.stk_kind), '') as share_kind,
        {{ to_number('source_rows.fix_rate') }} as allotment_percent,
        {{ to_number('source_rows.issue_stk_qty') }} as new_shares,
        {{ to_number('source_rows.tot_issue_stk_qty') }} as total_shares,
        concat_ws(
            ',',
            nullif({{ unreadable_fields(numbers, 'source_rows') }}, ''),
            nullif({{ unreadable_dates(['record_date', 'right_dt', 'list_date'], 'source_rows') }}, '')
        ) as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
