-- What each build changed in the marts that are exchanged by days. A view, so that it shows the build at hand
with

changes as (
    select * from {{ ref('stg_audit__mart_changes') }}
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
    from changes
)

select * from final
