with

source_rows as (
    select * from {{ source('infomax', 'infomax__index_constituents') }}
),

fetches as (
    select fetch_id, request, fetched_at from {{ ref('stg_ledger__fetches') }}
),

indices as (
    select index_name, infomax_code from {{ ref('indices') }}
),

final as (
    select
        indices.index_name,
        source_rows.code as stock_code,
        source_rows.isin,
        nullif(trim(source_rows.kr_name), '') as stock_name,
        -- the vendor tells the members now and no date; a list that stays the same keeps the day of its first look
        (fetches.fetched_at at time zone 'Asia/Seoul')::date as list_date,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
    inner join indices on fetches.request ->> 'code' = indices.infomax_code
)

select * from final
