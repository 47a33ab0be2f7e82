-- Failures that nobody can mend and nobody has to: a list of which the vendor tells today's state alone and has told it
-- on a later day, and a day of a week or month of which a later one has come. A plain load asks for neither again.
-- The ledger is probed for what failed lately (as far as alarm or report look back), which is little.
{% set days = [var('alarm_days') | int, var('report_days') | int] | max %}

with

clock as (
    select checked_at from {{ ref('stg_audit__warehouse') }}
),

attempts as (
    select
        data_type,
        source,
        scope,
        collection_date,
        status,
        completed_at,
        ledger_id
    from {{ ref('data_collection_logs') }}
),

cadences as (
    select
        dataset,
        source,
        cadence
    from {{ ref('dataset_cadence') }}
),

fetch_cells as not materialized (
    select
        source,
        dataset,
        scope,
        collection_date,
        status,
        -- loaders note no time of publication where a feed tells its latest state alone
        published_at is null as is_latest_state,
        ledger_id
    from {{ ref('stg_ledger__fetch_cells') }}
),

failed as (
    select
        attempts.data_type,
        attempts.source,
        attempts.scope,
        attempts.collection_date,
        attempts.ledger_id,
        fetch_cells.is_latest_state,
        case cadences.cadence
            when 'WEEKLY' then date_trunc('week', attempts.collection_date)::date + 7
            when 'MONTHLY' then (date_trunc('month', attempts.collection_date) + interval '1 month')::date
            else attempts.collection_date
        end as period_end
    from attempts
    inner join fetch_cells on attempts.ledger_id = fetch_cells.ledger_id
    left join cadences on attempts.data_type = cadences.dataset and attempts.source = cadences.source
    where
        attempts.status in ('FAILED', 'PARTIAL')
        and attempts.completed_at > (select clock.checked_at - interval '{{ days }} days' from clock)
        -- both ends, so that the planner expects few
        and attempts.completed_at <= (select greatest(clock.checked_at, now()) from clock)
),

final as (
    select
        ledger_id,
        data_type,
        source,
        scope,
        collection_date
    from failed
    where exists (
        select from fetch_cells as later
        where
            later.source = failed.source
            and later.dataset = failed.data_type
            and later.scope = failed.scope
            and later.collection_date > failed.collection_date
            and later.status in ('SUCCESS', 'UNCHANGED', 'EMPTY')
            and (later.collection_date < failed.period_end or (later.is_latest_state and failed.is_latest_state))
    )
)

select * from final
