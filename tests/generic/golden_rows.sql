{#
    Rows of which the truth is known hold it. Facts of days or names that were not collected are not looked for, and a sample
    database holds an invented market. Arguments: golden (seed with keys and columns; null there is not compared), keys, columns.
#}
{% test golden_rows(model, golden, keys, columns) %}

with tested as (
    select * from {{ model }}
)

select
    {% for column in keys -%}
    golden.{{ column }},
    {% endfor -%}
    {% for column in columns -%}
    golden.{{ column }} as true_{{ column }},
    tested.{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ golden }} as golden
inner join tested
    on
        {% for column in keys -%}
        golden.{{ column }} = tested.{{ column }}{{ ' and ' if not loop.last }}
        {% endfor %}
cross join {{ ref('stg_audit__warehouse') }} as warehouse
where
    warehouse.kind = 'REAL'
    and (
        {% for column in columns -%}
        golden.{{ column }} <> tested.{{ column }}{{ ' or tested.' ~ column ~ ' is null and golden.' ~ column ~ ' is not null' }}
        {{ 'or ' if not loop.last }}
        {%- endfor %}
    )

{% endtest %}
