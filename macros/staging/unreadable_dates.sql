{#
    Names of the date fields that hold something and no date, separated by commas; empty text when all can be read.
    Example: unreadable_dates(['record_date', 'list_dt'], 'source_rows')
#}
{% macro unreadable_dates(columns, relation) -%}
    concat_ws(
        ','{% for column in columns %},
        {%- set text = 'trim(' ~ relation ~ '.' ~ column ~ ')' %}
        case when coalesce({{ text }}, '') not in ('', '-') and {{ to_date8(text) }} is null then '{{ column }}' end
        {%- endfor %}

    )
{%- endmacro %}
