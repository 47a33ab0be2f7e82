with

source_rows as (
    select * from {{ source('ledger', 'fetch_cells') }}
),

final as (
    select
        ledger_id,
        attempt_id,
        source,
        dataset,
        scope,
        collection_date,
        status,
        fetch_id,
        started_at,
        completed_at,
        error,
        published_at
    from source_rows
)

select * from final
