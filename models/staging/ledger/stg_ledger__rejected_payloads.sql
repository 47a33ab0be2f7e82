with

source_rows as (
    select * from {{ source('ledger', 'rejected_payloads') }}
),

final as (
    select
        fetch_id,
        source,
        endpoint,
        received_at,
        content_type,
        reason,
        length(payload) as byte_count
    from source_rows
)

select * from final
