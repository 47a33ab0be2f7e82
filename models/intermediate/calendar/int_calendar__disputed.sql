-- Weekdays on which the exchange's own list of closures and the calendar of this project disagree, either way, for the
-- years that were collected.
with

cells as (
    select
        fetch_id,
        scope,
        collection_date,
        max(collection_date) over (partition by scope) as newest_date
    from {{ ref('int_collection__successful_cells') }}
    where
        source = 'krx'
        and dataset = 'trading_calendar'
        and is_current
),

holidays as (
    select
        fetch_id,
        list_year,
        holiday_date,
        reason
    from {{ ref('stg_krx__open_holidays') }}
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
    from cells
    inner join holidays on cells.fetch_id = holidays.fetch_id
    where cells.collection_date = cells.newest_date
    group by holidays.holiday_date
),

told_years as (
    select holidays.list_year
    from cells
    inner join holidays on cells.fetch_id = holidays.fetch_id
    where cells.collection_date = cells.newest_date
    group by holidays.list_year
),

final as (
    select
        calendar.date,
        calendar.is_session,
        told_closures.date is null as is_session_by_vendor,
        calendar.reason,
        told_closures.reason as vendor_reason
    from calendar
    inner join told_years on extract(year from calendar.date) = told_years.list_year
    left join told_closures on calendar.date = told_closures.date
    where calendar.is_session <> (told_closures.date is null)
)

select * from final
