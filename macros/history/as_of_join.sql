{#
    Joins a fact to the version of a history that is valid on the fact's day: as believed now, or as known at a moment.
    The history has valid_from, valid_to, known_from and known_to, half-open; at most one of its versions fits.

    Arguments: relation (a ref or CTE of a *_history mart), alias, condition (of the key), day (a date of the fact), known_before
    (timestamptz, optional: what had become known before it; see end_of_day).
    Example: as_of_join(ref('stocks_history'), 'listed', 'listed.stock_code = bars.stock_code', 'bars.time',
        known_before=end_of_day('bars.time'))
#}
{% macro as_of_join(relation, alias, condition, day, known_before=none) -%}
    left join {{ relation }} as {{ alias }}
        on
            {{ condition }}
            and {{ holds_on(alias, day, known_before) }}
{%- endmacro %}

{#  Condition that a version is valid on a day, as believed now or as known before a moment; for joins that keep no other rows  #}
{% macro holds_on(alias, day, known_before=none) -%}
    {{ alias }}.valid_from <= {{ day }}
            and ({{ alias }}.valid_to > {{ day }} or {{ alias }}.valid_to is null)
            {% if known_before is none -%}
            and {{ alias }}.known_to is null
            {%- else -%}
            and {{ alias }}.known_from < {{ known_before }}
            and ({{ alias }}.known_to >= {{ known_before }} or {{ alias }}.known_to is null)
            {%- endif %}
{%- endmacro %}

{#  The moment at which a KST day is over: what is known on a day was known before it. Example: end_of_day('bars.time')  #}
{% macro end_of_day(day) -%}
    (({{ day }} + 1)::timestamp at time zone 'Asia/Seoul')
{%- endmacro %}
