with

source_rows as (
    select * from {{ source('build_audit', 'mart_changes') }}
),

final as (
    select
        id,
        invocation_id,
        mart,
        kind,
        day,
        rows_before,
        rows_after,
        rows_added,
        rows_removed,
        rows_changed,
        recorded_at
    from source_rows
)

select * from final
