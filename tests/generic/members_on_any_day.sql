{#
    On every day from the first full one on, a group has about so many members. Counted where the count changes. A group that
    never comes near its number (the sample market's indexes are small) is not judged.
    Arguments: per_group (name to number), group_by, starts_on, ends_before, tolerance (members).
#}
{% test members_on_any_day(model, per_group, group_by, starts_on, ends_before, tolerance) %}

with spans as (
    select * from {{ model }}
),

steps as (
    select {{ group_by }} as group_name, {{ starts_on }} as day, 1 as step from spans
    union all
    select {{ group_by }} as group_name, {{ ends_before }} as day, -1 as step from spans where {{ ends_before }} is not null
),

days as (
    select group_name, day, sum(step) as step
    from steps
    group by group_name, day
),

counted as (
    select group_name, day, sum(step) over (partition by group_name order by day) as members
    from days
),

expected (group_name, number) as (
    values {% for name, number in per_group.items() %}('{{ name }}', {{ number }}){{ ', ' if not loop.last }}{% endfor %}
),

full_since as (
    select counted.group_name, expected.number, min(counted.day) as day
    from counted
    inner join expected on counted.group_name = expected.group_name
    where abs(counted.members - expected.number) <= {{ tolerance }}
    group by counted.group_name, expected.number
)

select counted.*
from counted
inner join full_since on counted.group_name = full_since.group_name and counted.day >= full_since.day
where abs(counted.members - full_since.number) > {{ tolerance }}

{% endtest %}
