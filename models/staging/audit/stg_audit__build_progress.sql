with

source_rows as (
    select * from {{ source('operations', 'build_progress') }}
),

final as (
    select
        model,
        ledger_id,
        completed_at
    from source_rows
)

select * from final
