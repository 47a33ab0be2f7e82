{#  No row lies on a day on which the exchange is closed. Arguments: day_column.  #}
{% test sessions_only(model, day_column) %}

with tested as (
    select * from {{ model }}
)

select tested.*
from tested
left join {{ ref('trading_calendar') }} as calendar on tested.{{ day_column }} = calendar.date
where not coalesce(calendar.is_session, false)

{% endtest %}
