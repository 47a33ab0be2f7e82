with

source_rows as (
    select * from {{ source('krx', 'krx__index_changes') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        fetches.request ->> 'index_name' as index_name,
        {{ to_date8('source_rows.appl_dd') }} as effective_date,
        nullif(nullif(trim(source_rows.transschl_isu_cd), ''), '-') as entered_isin,
        nullif(nullif(trim(source_rows.transschl_isu_nm), ''), '-') as entered_name,
        nullif(nullif(trim(source_rows.excld_isu_cd), ''), '-') as left_isin,
        nullif(nullif(trim(source_rows.excld_isu_nm), ''), '-') as left_name,
        {{ to_date8("fetches.request ->> 'fromdate'") }} as asked_from,
        {{ to_date8("fetches.request ->> 'todate'") }} as asked_to,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
