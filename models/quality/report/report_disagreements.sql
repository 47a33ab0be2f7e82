-- Values of the report's days that two sources tell differently, by field and by who was published.
with

clock as (
    select (checked_at at time zone 'Asia/Seoul')::date as today from {{ ref('stg_audit__warehouse') }}
),

disagreements as (
    select
        dataset,
        item,
        time,
        field,
        published_source,
        other_source,
        value_published,
        difference
    from {{ ref('vendor_disagreements') }}
),

final as (
    select
        disagreements.dataset,
        disagreements.field,
        disagreements.published_source,
        disagreements.other_source,
        count(*) as value_count,
        count(distinct disagreements.item) as item_count,
        round(100 * max(abs(disagreements.difference) / nullif(abs(disagreements.value_published), 0)), 2)
            as largest_difference_percent,
        max(disagreements.time) as newest_date
    from disagreements
    inner join clock
        on disagreements.time > clock.today - {{ var('report_days') }} and disagreements.time <= clock.today
    group by disagreements.dataset, disagreements.field, disagreements.published_source, disagreements.other_source
)

select * from final
