-- Attempts of the last two weeks, for the alarm on cells that failed. Nothing is built on this view, so that the alarm
-- keeps nothing from being published.
with

attempts as (
    select
        data_type,
        source,
        scope,
        collection_date,
        status,
        error_message,
        completed_at,
        ledger_id
    from {{ ref('data_collection_logs') }}
),

final as (
    select * from attempts
    where completed_at > now() - interval '14 days'
)

select * from final
