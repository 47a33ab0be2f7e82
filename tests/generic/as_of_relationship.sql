{#
    Every key has a version in a history that holds on the day of its row; of several that were believed at some time, any counts.
    Arguments: column, day_column, to, field, starts_on, ends_before (the last two half-open days of the history).
#}
{% test as_of_relationship(model, column, day_column, to, field, starts_on='valid_from', ends_before='valid_to') %}

with tested as (
    select * from {{ model }}
)

select tested.*
from tested
where
    tested.{{ column }} is not null
    and not exists (
        select 1
        from {{ to }} as history
        where
            history.{{ field }} = tested.{{ column }}
            and history.{{ starts_on }} <= tested.{{ day_column }}
            and (history.{{ ends_before }} > tested.{{ day_column }} or history.{{ ends_before }} is null)
    )

{% endtest %}
