{#  Every row satisfies an SQL expression; NULL counts as satisfied. Arguments: expression.  #}
{% test expression_is_true(model, expression) %}

select *
from {{ model }}
where not ({{ expression }})

{% endtest %}
