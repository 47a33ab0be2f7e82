{{ config(post_hook="{{ record_calendar_changes() }}{% do ref('trading_sessions') %}") }}

with

exceptions as (
    select
        exception_date,
        exception_kind,
        opens_at,
        closes_at,
        reason_ko,
        reason_en
    from {{ ref('trading_calendar_exceptions') }}
),

trading_hours as (
    select
        valid_from,
        valid_to,
        weekday_kind,
        opens_at,
        closes_at
    from {{ ref('trading_hours') }}
),

-- loaders/calendar.py covers the same span; a test compares the two day by day
days as (
    select
        day::date as date,
        case extract(isodow from day) when 6 then 'SATURDAY' when 7 then 'SUNDAY' else 'WEEKDAY' end as weekday_kind
    from
        generate_series(
            '{{ var("calendar_first_day") }}'::timestamp, '{{ var("calendar_last_day") }}'::timestamp, '1 day'
        ) as day
),

judged as (
    select
        days.date,
        days.weekday_kind,
        exceptions.reason_ko,
        exceptions.reason_en,
        coalesce(exceptions.opens_at, trading_hours.opens_at) as opens_at,
        coalesce(exceptions.closes_at, trading_hours.closes_at) as closes_at,
        -- a weekday, or a Saturday while there were Saturday sessions, has regular hours; a closure takes them away
        (
            trading_hours.valid_from is not null
            and coalesce(exceptions.exception_kind, '-') <> 'CLOSED'
        ) as is_session
    from days
    left join exceptions on days.date = exceptions.exception_date
    left join trading_hours
        on
            days.weekday_kind = trading_hours.weekday_kind
            and days.date >= trading_hours.valid_from
            and (days.date < trading_hours.valid_to or trading_hours.valid_to is null)
),

-- neighbours of any day, session or not: the last session before it and the first one after it
numbered as (
    select
        judged.*,
        count(*) filter (where is_session) over (order by date) as sessions_so_far,
        max(date) filter (where is_session) over (
            order by date rows between unbounded preceding and 1 preceding
        ) as previous_session,
        min(date) filter (where is_session) over (
            -- backwards, so that the frame only grows
            order by date desc rows between unbounded preceding and 1 preceding
        ) as next_session
    from judged
),

final as (
    select
        date,
        previous_session,
        next_session,
        case when is_session then (date + opens_at::time) at time zone 'Asia/Seoul' end as opens_at,
        case when is_session then (date + closes_at::time) at time zone 'Asia/Seoul' end as closes_at,
        case
            when reason_ko is not null then reason_ko || ' (' || reason_en || ')'
            when weekday_kind = 'SUNDAY' then '일요일 (Sunday)'
            when weekday_kind = 'SATURDAY' and not is_session then '토요일 (Saturday)'
        end::varchar(200) as reason,
        case when is_session then sessions_so_far::integer end as session_number,
        is_session
    from numbered
)

select * from final
