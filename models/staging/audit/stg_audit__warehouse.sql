with

source_rows as (
    select * from {{ source('clock', 'warehouse') }}
),

final as (
    select
        kind,
        -- a sample database has a frozen clock
        coalesce(sample_now, now()) as checked_at
    from source_rows
)

select * from final
