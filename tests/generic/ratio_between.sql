{#
    The ratio of two expressions lies between two numbers: what a wrong unit or a wrong column would break. Rows without a ratio pass.
    Arguments: numerator, denominator, at_least, at_most.
#}
{% test ratio_between(model, numerator, denominator, at_least, at_most) %}

with measured as (
    select
        *,
        ({{ numerator }})::numeric / nullif(({{ denominator }})::numeric, 0) as ratio
    from {{ model }}
)

select *
from measured
where ratio not between {{ at_least }} and {{ at_most }}

{% endtest %}
