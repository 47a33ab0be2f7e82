with

source_rows as (
    select * from {{ source('krx', 'krx__index_members') }}
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
        case when source_rows.isu_cd !~ '^[A-Z]{2}[0-9A-Z]{9}[0-9]$' then source_rows.isu_cd end as stock_code,
        case when source_rows.isu_cd ~ '^[A-Z]{2}[0-9A-Z]{9}[0-9]$' then source_rows.isu_cd end as isin,
        source_rows.isu_nm as stock_name,
        {{ to_date8("fetches.request ->> 'schdate'") }} as list_date,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
