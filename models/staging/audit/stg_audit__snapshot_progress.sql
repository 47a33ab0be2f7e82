with

source_rows as (
    select * from {{ source('operations', 'snapshot_progress') }}
),

final as (
    select
        schema_name,
        snapshot_name,
        business_date,
        ledger_id,
        invocation_id,
        completed_at
    from source_rows
)

select * from final
