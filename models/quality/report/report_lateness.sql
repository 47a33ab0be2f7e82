-- Who is late now, in sessions, and how long after publication the days of the report came in, in hours.
with

clock as (
    select
        checked_at,
        (checked_at at time zone 'Asia/Seoul')::date as today
    from {{ ref('stg_audit__warehouse') }}
),

freshness as (
    select * from {{ ref('freshness') }}
),

fetch_cells as (
    select
        source,
        dataset,
        scope,
        collection_date,
        status,
        completed_at,
        published_at
    from {{ ref('stg_ledger__fetch_cells') }}
),

-- a day came when its last cell did, for the first time
arrivals as (
    select
        fetch_cells.dataset,
        fetch_cells.source,
        fetch_cells.collection_date,
        fetch_cells.scope,
        min(fetch_cells.published_at) as published_at,
        -- a sample database was filled after its own frozen clock
        min(least(fetch_cells.completed_at, clock.checked_at)) as completed_at
    from fetch_cells
    inner join clock
        on
            fetch_cells.collection_date > clock.today - {{ var('report_days') }}
            and fetch_cells.collection_date <= clock.today
    where fetch_cells.status in ('SUCCESS', 'UNCHANGED') and fetch_cells.published_at is not null
    group by fetch_cells.dataset, fetch_cells.source, fetch_cells.collection_date, fetch_cells.scope
),

day_delays as (
    select
        dataset,
        source,
        collection_date,
        extract(epoch from max(completed_at) - min(published_at)) / 3600 as delay_hours
    from arrivals
    group by dataset, source, collection_date
),

delays as (
    select
        dataset,
        source,
        count(*) as day_count,
        round((percentile_cont(0.5) within group (order by delay_hours))::numeric, 1) as median_delay_hours,
        round(max(delay_hours)::numeric, 1) as longest_delay_hours
    from day_delays
    group by dataset, source
),

final as (
    select
        freshness.dataset,
        freshness.source,
        freshness.cadence,
        freshness.newest_session,
        freshness.due_session,
        freshness.due_at,
        freshness.lag_sessions,
        freshness.is_watched,
        freshness.is_late,
        coalesce(delays.day_count, 0) as day_count,
        delays.median_delay_hours,
        delays.longest_delay_hours
    from freshness
    left join delays on freshness.dataset = delays.dataset and freshness.source = delays.source
)

select * from final
