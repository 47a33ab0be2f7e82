-- The newest result of every check that ran within the report's days, by table and kind, and the names of those that
-- found something.
with

clock as (
    select checked_at from {{ ref('stg_audit__warehouse') }}
),

checks as (
    select * from {{ ref('data_quality_checks') }}
),

newest as (
    select distinct on (checks.table_name, checks.details ->> 'test')
        checks.table_name,
        checks.check_type,
        checks.details ->> 'test' as test_name,
        checks.details ->> 'status' as status,
        checks.issue_count,
        checks.created_at
    from checks
    inner join clock on checks.created_at > clock.checked_at - interval '{{ var('report_days') }} days'
    order by checks.table_name, checks.details ->> 'test', checks.created_at desc
),

final as (
    select
        table_name,
        check_type,
        count(*) as check_count,
        count(*) filter (where status = 'pass') as passed_count,
        count(*) filter (where status = 'warn') as warned_count,
        count(*) filter (where status in ('fail', 'error')) as failed_count,
        coalesce(sum(issue_count), 0) as issue_count,
        string_agg(test_name, ', ' order by test_name) filter (where status in ('warn', 'fail', 'error')) as found_by,
        max(created_at) as checked_at
    from newest
    group by table_name, check_type
)

select * from final
