{#
    true when a text is not six characters of the exchange's pattern for stock codes, or is missing: of a null the pattern
    alone would say nothing, and the row would pass.
    Example: case when {{ is_no_stock_code('stock_code') }} then 'CODE_MALFORMED' end
#}
{% macro is_no_stock_code(column) -%}
    coalesce({{ column }}, '') !~ '^[0-9][0-9A-Z]{5}$'
{%- endmacro %}
