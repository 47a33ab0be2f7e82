with

source_rows as (
    select * from {{ source('ledger', 'fetch_cells') }}
),

-- grouped, so that PostgreSQL knows of one row an attempt and spares the join where is_retracted is not asked for
retracted_attempts as (
    select attempt_id
    from {{ ref('stg_ledger__retracted_attempts') }}
    group by attempt_id
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
