{#  As the built-in `relationships`, on the window of a large fact. Arguments: column, to, field.  #}
{% test relationships_window(model, column, to, field) %}

with child as (
    select * from {{ model }}
)

select child.{{ column }}
from child
left join {{ to }} as parent on child.{{ column }} = parent.{{ field }}
where child.{{ column }} is not null and parent.{{ field }} is null

{% endtest %}
