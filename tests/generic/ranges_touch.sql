{#
    Half-open ranges of a group follow each other without a gap, but for gaps that another relation explains: a row of it
    with the group's columns and the day on which the gap begins.
    Arguments: group_by (list), starts_on, ends_before, explained_by (relation, optional), explained_on (its day column).
#}
{% test ranges_touch(model, group_by, starts_on, ends_before, explained_by=none, explained_on=none) %}

with ranged as (
    select
        *,
        lead({{ starts_on }}) over (partition by {{ group_by | join(', ') }} order by {{ starts_on }}) as next_start
    from {{ model }}
)

select ranged.*
from ranged
where
    ranged.next_start > ranged.{{ ends_before }}
    {% if explained_by is not none -%}
    and not exists (
        select 1
        from {{ explained_by }} as explanation
        where
            {% for column in group_by -%}
            explanation.{{ column }} = ranged.{{ column }}
            and {% endfor -%}
            explanation.{{ explained_on }} = ranged.{{ ends_before }}
    )
    {%- endif %}

{% endtest %}
