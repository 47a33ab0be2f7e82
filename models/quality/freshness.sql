-- The newest session of every dataset and source beside the one that is due by now, counted in sessions: a closure is
-- no delay. Of a week or a month one session is enough, and it is due when the last one of them is. What nobody asked
-- for in five weeks is not kept up. The days are bounded, so that the ledger's index serves: of the newest row alone it
-- would be read whole.
with

clock as (
    select checked_at from {{ ref('stg_audit__warehouse') }}
),

cadences as (
    select * from {{ ref('dataset_cadence') }}
),

sessions as (
    select
        date,
        session_number
    from {{ ref('trading_calendar') }}
    where is_session
),

fetch_cells as not materialized (
    select
        source,
        dataset,
        scope,
        -- funds that came make up for no market that did not
        scope ~ '^[0-9][0-9A-Z]{5}$' or scope = 'ETF' as is_no_market,
        collection_date,
        status,
        started_at,
        completed_at
    from {{ ref('stg_ledger__fetch_cells') }}
),

-- wide enough for the month before, the month at hand and the session after it
near_sessions as (
    select
        sessions.date,
        sessions.session_number
    from sessions
    inner join clock on sessions.date between (clock.checked_at at time zone 'Asia/Seoul')::date - 65
        and (clock.checked_at at time zone 'Asia/Seoul')::date + 45
),

periods as (
    select
        cadences.dataset,
        cadences.source,
        case cadences.cadence
            when 'WEEKLY' then date_trunc('week', near_sessions.date)::date
            when 'MONTHLY' then date_trunc('month', near_sessions.date)::date
            else near_sessions.date
        end as period_start,
        max(near_sessions.date) as session,
        max(near_sessions.session_number) as session_number
    from cadences
    cross join near_sessions
    group by cadences.dataset, cadences.source, period_start
),

deadlines as (
    select
        cadences.*,
        periods.period_start,
        periods.session,
        periods.session_number,
        (near_sessions.date + cadences.published_at) at time zone 'Asia/Seoul' as final_at,
        (near_sessions.date + cadences.published_at) at time zone 'Asia/Seoul'
        + make_interval(mins => cadences.grace_minutes) as due_at
    from periods
    inner join cadences on periods.dataset = cadences.dataset and periods.source = cadences.source
    inner join near_sessions
        on periods.session_number + cadences.published_after_sessions = near_sessions.session_number
),

due as (
    select distinct on (deadlines.dataset, deadlines.source) deadlines.*
    from deadlines
    inner join clock on deadlines.due_at <= clock.checked_at
    order by deadlines.dataset, deadlines.source, deadlines.session desc
),

next_due as (
    select
        deadlines.dataset,
        deadlines.source,
        min(deadlines.due_at) as next_due_at
    from deadlines
    inner join clock on deadlines.due_at > clock.checked_at
    group by deadlines.dataset, deadlines.source
),

-- A day has come when half of what was asked for has: one suspended name that answers at once is not the market. Where
-- the market was asked for as a whole, single names that somebody asked for beside it say nothing about it.
collected as (
    select
        due.*,
        clock.checked_at,
        next_due.next_due_at,
        asked.collection_date as newest_asked_session,
        asked.asked_at,
        newest.collection_date as newest_session,
        newest.collected_at
    from due
    cross join clock
    left join next_due on due.dataset = next_due.dataset and due.source = next_due.source
    inner join lateral (
        select
            fetch_cells.collection_date,
            least(fetch_cells.started_at, clock.checked_at) as asked_at
        from fetch_cells
        where
            fetch_cells.source = due.source
            and fetch_cells.dataset = due.dataset
            and fetch_cells.collection_date >= due.period_start - 35
        order by fetch_cells.collection_date desc
        limit 1
    ) as asked on true
    left join lateral (
        select
            fetch_cells.collection_date,
            max(fetch_cells.completed_at) as collected_at
        from fetch_cells
        where
            fetch_cells.source = due.source
            and fetch_cells.dataset = due.dataset
            and fetch_cells.collection_date >= due.period_start - 35
        group by fetch_cells.collection_date
        having
            2 * count(distinct fetch_cells.scope) filter (
                where fetch_cells.status in ('SUCCESS', 'UNCHANGED', 'EMPTY') and not fetch_cells.is_no_market
            ) >= count(distinct fetch_cells.scope) filter (where not fetch_cells.is_no_market)
            and (
                count(*) filter (where not fetch_cells.is_no_market) > 0
                or 2 * count(distinct fetch_cells.scope) filter (
                    where fetch_cells.status in ('SUCCESS', 'UNCHANGED', 'EMPTY')
                ) >= count(distinct fetch_cells.scope)
            )
        order by fetch_cells.collection_date desc
        limit 1
    ) as newest on true
),

judged as (
    select
        collected.*,
        coalesce(collected.newest_session >= collected.period_start, false) as has_come,
        newest_sessions.session_number as newest_session_number,
        -- a back-fill asks for what is long past and says nothing about the days to come
        collected.asked_at - (collected.newest_asked_session + 1)::timestamp at time zone 'Asia/Seoul'
        <= interval '14 days' as is_current_feed
    from collected
    left join sessions as newest_sessions on collected.newest_session = newest_sessions.date
),

final as (
    select
        dataset,
        source,
        cadence,
        newest_asked_session,
        newest_session,
        session as due_session,
        final_at,
        due_at,
        next_due_at,
        collected_at,
        case when has_come then 0 else session_number - newest_session_number end as lag_sessions,
        is_always_collected and is_current_feed as is_watched,
        is_always_collected and is_current_feed and not has_come as is_late,
        checked_at
    from judged
)

select * from final
