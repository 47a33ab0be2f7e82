{#
    The business date of a snapshot stands in the session setting `warehouse.business_date` and not in the SQL, so that one
    compiled query serves every date. A date is a KST day, looked at from its end.
#}

{#  dbt's own hook for "now" of a snapshot: what it writes into known_from and known_to  #}
{% macro postgres__snapshot_get_time() -%}
    current_setting('warehouse.business_date')::date
{%- endmacro %}

{#
    Condition: a row of knowledge (known_from, known_to) was believed at the end of the business date; without the setting, that
    it is believed now. Example: select * from … where is_active and … known_on_business_date()
#}
{% macro known_on_business_date() -%}
    {%- set end_of_day -%}
        (coalesce(nullif(current_setting('warehouse.business_date', true), ''), 'infinity')::date + 1)::timestamp
        at time zone 'Asia/Seoul'
    {%- endset -%}
    (known_from < {{ end_of_day }} and (known_to is null or known_to >= {{ end_of_day }}))
{%- endmacro %}
