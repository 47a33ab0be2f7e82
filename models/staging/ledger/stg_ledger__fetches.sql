with

source_rows as (
    select * from {{ source('ledger', 'fetches') }}
),

final as (
    select
        fetch_id,
        source,
        endpoint,
        request,
        fetched_at,
        http_status,
        row_count,
        byte_count,
        payload_sha256,
        error
    from source_rows
)

select * from final
