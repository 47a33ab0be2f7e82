with

source_rows as (
    select * from {{ source('ledger', 'fetch_cells') }}
),

retracted_attempts as (
    select * from {{ ref('stg_ledger__retracted_attempts') }}
),

final as (
    select
        source_rows.ledger_id,
        source_rows.attempt_id,
        source_rows.source,
        source_rows.dataset,
        source_rows.scope,
        source_rows.collection_date,
        source_rows.status,
        source_rows.fetch_id,
        source_rows.started_at,
        source_rows.completed_at,
        source_rows.error,
        source_rows.published_at,
        retracted_attempts.attempt_id is not null as is_retracted
    from source_rows
    left join retracted_attempts on source_rows.attempt_id = retracted_attempts.attempt_id
)

select * from final
