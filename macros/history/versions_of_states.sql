{#
    A history in both times from states in the order in which they were believed: what was believed to be true since its day
    without an end, until the next state was known, and with an end from then on. A state that was corrected on its own day
    has only the first of the two. Days are half-open. `relation` has the key, the columns, state_date, known_from, known_to
    and known_basis, one row per key and known_from, state_date never going back; `is_there` tells the states that are none
    (a stock that is gone).
    Example: versions_of_states('states', ['stock_code'], ['floating_shares', 'source'])
#}
{% macro versions_of_states(relation, key, columns, is_there='true') -%}
    {%- set copied = key + columns -%}
    {%- set own = 'over (partition by ' ~ key | join(', ') ~ ' order by known_from)' -%}
    select
        {% for column in copied %}followed.{{ column }}, {% endfor %}
        versions.valid_from,
        versions.valid_to,
        versions.valid_to is null and versions.known_to is null as is_current,
        versions.known_from,
        versions.known_to,
        versions.known_basis
    from (
        select
            {{ relation }}.*,
            lead(state_date) {{ own }} as next_state_date,
            lead(known_from) {{ own }} as next_known_from,
            lead(known_basis) {{ own }} as next_known_basis
        from {{ relation }}
    ) as followed
    cross join lateral (
        values
        (followed.state_date, null::date, followed.known_from, followed.next_known_from, followed.known_basis),
        (
            followed.state_date, followed.next_state_date, followed.next_known_from, null::timestamptz,
            followed.next_known_basis
        )
    ) as versions (valid_from, valid_to, known_from, known_to, known_basis)
    where
        {{ is_there }}
        and versions.known_from is not null
        -- the second of the two has an end
        and (versions.valid_to > versions.valid_from or versions.known_from = followed.known_from)
{%- endmacro %}
