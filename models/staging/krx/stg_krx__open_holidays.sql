with

source_rows as (
    select * from {{ source('krx', 'krx__mkd01100305_01') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ to_date8('source_rows.calnd_dd') }} as holiday_date,
        (fetches.request ->> 'search_bas_yy')::integer as list_year,
        source_rows.kr_dy_tp as weekday_name,
        source_rows.holdy_nm as reason,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
