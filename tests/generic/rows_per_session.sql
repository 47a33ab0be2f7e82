{#
    A session has about as many rows as the one before it: at least `at_least` and at most `at_most` times as many. Days further apart
    than the longest closure are not compared. Arguments: day_column, at_least, at_most.
#}
{% test rows_per_session(model, day_column, at_least=0.8, at_most=1.25) %}

with counted as (
    select
        {{ day_column }}::date as day,
        count(*) as row_count
    from {{ model }}
    group by 1
),

compared as (
    select
        *,
        lag(day) over (order by day) as day_before,
        lag(row_count) over (order by day) as row_count_before
    from counted
)

select *
from compared
where
    day - day_before <= 15
    and row_count not between {{ at_least }} * row_count_before and {{ at_most }} * row_count_before

{% endtest %}
