-- What vendors changed after they had told it, by the day on which the change came.
with

clock as (
    select checked_at from {{ ref('stg_audit__warehouse') }}
),

revisions as (
    select
        dataset,
        source,
        item,
        time,
        field,
        second_fetched_at
    from {{ ref('data_revisions') }}
),

final as (
    select
        revisions.dataset,
        revisions.source,
        revisions.field,
        (revisions.second_fetched_at at time zone 'Asia/Seoul')::date as revised_date,
        count(*) as value_count,
        count(distinct revisions.item) as item_count,
        min(revisions.time) as oldest_date,
        max(revisions.time) as newest_date
    from revisions
    inner join clock on revisions.second_fetched_at > clock.checked_at - interval '{{ var('report_days') }} days'
    group by revisions.dataset, revisions.source, revisions.field, revised_date
)

select * from final
