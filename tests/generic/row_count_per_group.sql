{#  Every group has exactly so many rows. Arguments: group_by (list), rows.  #}
{% test row_count_per_group(model, group_by, rows) %}

select
    {{ group_by | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ group_by | join(', ') }}
having count(*) <> {{ rows }}

{% endtest %}
