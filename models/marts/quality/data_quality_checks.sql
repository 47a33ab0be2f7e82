{{ config(materialized='view') }}

with

test_results as (
    select * from {{ ref('stg_audit__dbt_test_results') }}
),

final as (
    select
        id,
        table_name::varchar(63) as table_name,
        check_date,
        check_type::varchar(30) as check_type,
        coalesce(issue_count, 0)::bigint as issue_count,
        jsonb_strip_nulls(jsonb_build_object(
            'test', test_name,
            'column', column_name,
            'status', status,
            'severity', severity,
            'message', message,
            'tags', tags,
            'query', failing_query,
            'rows', failing_rows,
            'run', invocation_id
        )) as details,
        created_at
    from test_results
)

select * from final
