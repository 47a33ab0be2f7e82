-- How collecting went over the days of the report: the last word on every cell, and how many attempts it took.
with

clock as (
    select (checked_at at time zone 'Asia/Seoul')::date as today from {{ ref('stg_audit__warehouse') }}
),

attempts as (
    select
        data_type,
        collection_date,
        source,
        scope,
        status,
        records_count,
        error_message,
        ledger_id
    from {{ ref('data_collection_logs') }}
),

recent_attempts as (
    select
        attempts.*,
        row_number() over (
            partition by attempts.data_type, attempts.source, attempts.scope, attempts.collection_date
            order by attempts.ledger_id desc
        ) as recency
    from attempts
    inner join clock
        on attempts.collection_date > clock.today - {{ var('report_days') }} and attempts.collection_date <= clock.today
),

final as (
    select
        data_type as dataset,
        source,
        count(*) filter (where recency = 1) as cell_count,
        count(*) filter (where recency = 1 and status in ('SUCCESS', 'UNCHANGED')) as success_count,
        count(*) filter (where recency = 1 and status = 'EMPTY') as empty_count,
        count(*) filter (where recency = 1 and status = 'NOT_PUBLISHED') as not_published_count,
        count(*) filter (where recency = 1 and status in ('FAILED', 'PARTIAL')) as failed_count,
        -- what the vendor could not tell yet is no failure of collecting
        round(
            100.0 * count(*) filter (where recency = 1 and status in ('SUCCESS', 'UNCHANGED', 'EMPTY'))
            / nullif(count(*) filter (where recency = 1 and status <> 'NOT_PUBLISHED'), 0), 2
        ) as success_percent,
        count(*) filter (where status in ('FAILED', 'PARTIAL')) as failed_attempt_count,
        coalesce(sum(records_count) filter (where recency = 1), 0) as records_count,
        max(error_message) filter (where recency = 1) as error_message
    from recent_attempts
    group by data_type, source
)

select * from final
