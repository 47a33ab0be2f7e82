{#
    Half-open ranges of a group do not overlap; a range without an end lasts for ever.
    Arguments: group_by (list), starts_on, ends_before.
#}
{% test ranges_do_not_overlap(model, group_by, starts_on, ends_before) %}

with ranged as (
    select
        *,
        lead({{ starts_on }}) over (partition by {{ group_by | join(', ') }} order by {{ starts_on }}) as next_start
    from {{ model }}
)

select *
from ranged
where next_start < coalesce({{ ends_before }}, 'infinity')

{% endtest %}
