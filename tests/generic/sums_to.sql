{#
    A column adds up to a total in every group.
    Arguments: column, group_by (list), total, tolerance (absolute, default 0).
#}
{% test sums_to(model, column, group_by, total, tolerance=0) %}

select
    {{ group_by | join(', ') }},
    sum({{ column }}) as sum_of_column
from {{ model }}
group by {{ group_by | join(', ') }}
having abs(sum({{ column }}) - {{ total }}) > {{ tolerance }}

{% endtest %}
