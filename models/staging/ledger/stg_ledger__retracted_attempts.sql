with

source_rows as (
    select * from {{ source('ledger', 'retracted_attempts') }}
),

final as (
    select attempt_id
    from source_rows
)

select * from final
