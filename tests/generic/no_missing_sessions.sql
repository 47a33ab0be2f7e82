{#
    Between two neighbouring days of a fact no session lies. Days that are further apart than the longest closure of the exchange
    (within_days) were not collected in between, which is no gap of the data.
    Arguments: day_column, within_days.
#}
{% test no_missing_sessions(model, day_column, within_days=15) %}

with days as (
    select {{ day_column }}::date as day from {{ model }}
    group by 1
),

neighbours as (
    select
        day,
        lead(day) over (order by day) as next_day
    from days
)

select
    calendar.date,
    neighbours.day as day_before,
    neighbours.next_day as day_after
from neighbours
inner join {{ ref('trading_calendar') }} as calendar
    on neighbours.day < calendar.date and neighbours.next_day > calendar.date
where calendar.is_session and neighbours.next_day - neighbours.day <= {{ within_days }}

{% endtest %}
