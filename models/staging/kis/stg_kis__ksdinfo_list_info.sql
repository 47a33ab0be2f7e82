{% set numbers = ['issue_stk_qty', 'tot_issue_stk_qty', 'issue_price'] %}

with

source_rows as (
    select * from {{ source('kis', 'kis__ksdinfo_list_info') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        -- eight or nine characters stand for what is no share; a leading A is the market's prefix
        regexp_replace(trim(source_rows.sht_cd), '^A([0-9A-Z]{6})$', '\1') as stock_code,
        {{ to_date8('trim(source_rows.list_dt)') }} as listing_date,
        nullif(trim(source_rows.stk_kind), '') as share_kind,
        nullif(trim(source_rows.issue_type), '') as issue_kind,
        {{ to_number('source_rows.issue_stk_qty') }} as new_shares,
        {{ to_number('source_rows.tot_issue_stk_qty') }} as total_shares,
        {{ to_number('source_rows.issue_price') }} as issue_price,
        concat_ws(
            ',',
            nullif({{ unreadable_fields(numbers, 'source_rows') }}, ''),
            nullif({{ unreadable_dates(['list_dt'], 'source_rows') }}, '')
        ) as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
