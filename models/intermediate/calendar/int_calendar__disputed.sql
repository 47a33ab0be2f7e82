-- Weekdays on which a source and the calendar of this project disagree, either way: the exchange's list of closures for
-- the years that were collected, the broker's days one by one.
with

cells as (
    select
        source,
        fetch_id,
        scope,
        collection_date,
        max(collection_date) over (partition by source, scope) as newest_date
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'trading_calendar'
        and is_current
),

newest_fetches as (
    select
        source,
        fetch_id
    from cells
    where collection_date = newest_date
),

holidays as (
    select
        fetch_id,
        list_year,
        holiday_date,
        reason
    from {{ ref('stg_krx__open_holidays') }}
),

broker_days as (
    select
        fetch_id,
        calendar_date,
        is_open
    from {{ ref('stg_kis__chk_holiday') }}
),

calendar as (
    select
        date,
        is_session,
        reason
    from {{ ref('trading_calendar') }}
    where extract(isodow from date) < 6
),

told_closures as (
    select
        holidays.holiday_date as date,
        max(holidays.reason) as reason
    from newest_fetches
    inner join holidays on newest_fetches.fetch_id = holidays.fetch_id
    group by holidays.holiday_date
),

told_years as (
    select distinct holidays.list_year
    from newest_fetches
    inner join holidays on newest_fetches.fetch_id = holidays.fetch_id
),

told_days as (
    select
        'krx' as source,
        calendar.date,
        told_closures.date is null as is_session_by_vendor,
        told_closures.reason as vendor_reason
    from calendar
    inner join told_years on extract(year from calendar.date) = told_years.list_year
    left join told_closures on calendar.date = told_closures.date
    union all
    select
        newest_fetches.source,
        broker_days.calendar_date as date,
        bool_or(broker_days.is_open) as is_session_by_vendor,
        null as vendor_reason
    from newest_fetches
    inner join broker_days on newest_fetches.fetch_id = broker_days.fetch_id
    group by newest_fetches.source, broker_days.calendar_date
),

final as (
    select
        told_days.source,
        calendar.date,
        calendar.is_session,
        told_days.is_session_by_vendor,
        calendar.reason,
        told_days.vendor_reason
    from calendar
    inner join told_days on calendar.date = told_days.date
    where calendar.is_session <> told_days.is_session_by_vendor
)

select * from final
