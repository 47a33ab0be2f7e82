-- Attempts of the last days (var alarm_days), for the alarm on cells that failed. Nothing is built on this view, so
-- that the alarm keeps nothing from being published. What failed and cannot be asked for again, since a later list has
-- come, is none.
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

superseded_failures as (
    select ledger_id from {{ ref('superseded_failures') }}
),

final as (
    select * from attempts
    where
        completed_at > now() - interval '{{ var('alarm_days') }} days'
        and not exists (
            select from superseded_failures
            where superseded_failures.ledger_id = attempts.ledger_id
        )
)

select * from final
