{#
    No two versions of a group hold on the same day as known at the same moment.
    Arguments: group_by (list). Needs id, valid_from, valid_to, known_from, known_to, all half-open.
#}
{% test versions_do_not_overlap(model, group_by) %}

with versions as (
    select
        *,
        daterange(valid_from, valid_to) as valid_on,
        tstzrange(known_from, known_to) as known_at
    from {{ model }}
)

select one.*
from versions as one
inner join versions as other
    on
        {% for column in group_by -%}
        one.{{ column }} = other.{{ column }}
        and {% endfor -%}
        one.id < other.id
        and one.valid_on && other.valid_on
        and one.known_at && other.known_at

{% endtest %}
