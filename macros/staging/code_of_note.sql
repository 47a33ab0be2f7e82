{#
    The exchange's code of a note (ETN), before which vendors write a Q: Q530031 is 530031. Any other text stays as it is.
    Example: code_of_note('source_rows.code')
#}
{% macro code_of_note(column) -%}
    regexp_replace({{ column }}, '^Q([0-9][0-9A-Z]{5})$', '\1')
{%- endmacro %}
