with

source_rows as (
    select * from {{ source('audit', 'dbt_test_results') }}
),

final as (
    select
        id,
        invocation_id,
        test_id,
        test_name,
        table_name,
        column_name,
        check_type,
        status,
        severity,
        issue_count,
        message,
        tags,
        failing_query,
        failing_rows,
        check_date,
        created_at
    from source_rows
)

select * from final
