{#
    Snapshots of a session move: of those that were taken while the exchange traded, at most `at_most` repeat the one before
    in every value. A feed that stands still, or is asked more often than it is made, repeats itself. Arguments: moment,
    columns, group_by, at_most, at_least (snapshots of a session that prove something).
#}
{% test snapshots_move(model, moment, columns, group_by=[], at_most=0.1, at_least=20) %}

{%- set keys = group_by + ['day'] -%}

with taken as (
    select
        tested.*,
        calendar.date as day
    from {{ model }} as tested
    inner join {{ ref('trading_calendar') }} as calendar
        on tested.{{ moment }} >= calendar.opens_at and tested.{{ moment }} < calendar.closes_at
),

compared as (
    select
        *,
        {% for column in columns %}
        {{ column }} is not distinct from lag({{ column }}) over snapshots and
        {%- endfor %}
        row_number() over snapshots > 1 as is_repeat
    from taken
    window snapshots as (partition by {{ keys | join(', ') }} order by {{ moment }})
)

select
    {{ keys | join(', ') }},
    count(*) as snapshot_count,
    count(*) filter (where is_repeat) as repeat_count
from compared
group by {{ keys | join(', ') }}
having count(*) >= {{ at_least }} and count(*) filter (where is_repeat) > {{ at_most }} * count(*)

{% endtest %}
