{#  As the built-in `accepted_values`, on the window of a large fact. Arguments: column, values (list).  #}
{% test accepted_values_window(model, column, values) %}

select {{ column }}
from {{ model }}
where {{ column }} not in ({% for value in values %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor %})

{% endtest %}
