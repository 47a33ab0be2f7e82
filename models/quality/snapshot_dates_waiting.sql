-- Which business dates the snapshots have not taken yet, and how to take them: one row per snapshot. Nothing is built
-- on this view, so its warning keeps nobody from being published.
-- depends_on: {{ ref('snap_stocks') }}
-- depends_on: {{ ref('snap_index_components') }}
-- depends_on: {{ ref('snap_floating_shares') }}
with

business_dates as (
    select * from {{ ref('int_snapshots__business_dates') }}
),

progress as (
    select * from {{ ref('stg_audit__snapshot_progress') }}
    where schema_name = 'snapshots'
),

counted as (
    select
        business_dates.snapshot_name,
        max(progress.business_date) as newest_taken_date,
        count(*) filter (where progress.business_date is null or business_dates.business_date > progress.business_date)
            as waiting_count,
        min(business_dates.business_date)
            filter (where progress.business_date is null or business_dates.business_date > progress.business_date)
            as first_waiting_date,
        max(business_dates.business_date) as newest_date
    from business_dates
    left join progress on business_dates.snapshot_name = progress.snapshot_name
    group by business_dates.snapshot_name
),

final as (
    select
        counted.snapshot_name,
        counted.newest_taken_date,
        counted.first_waiting_date,
        case when counted.waiting_count > 0 then counted.newest_date end as last_waiting_date,
        counted.waiting_count,
        (
            select min(business_dates.incomplete_cell)
            from business_dates
            where
                business_dates.snapshot_name = counted.snapshot_name
                and business_dates.business_date >= counted.first_waiting_date
        ) as incomplete_cell,
        case
            when counted.waiting_count > 0
                then format('make replay-snapshots FROM=%s TO=%s', counted.first_waiting_date, counted.newest_date)
        end as command
    from counted
)

select * from final
