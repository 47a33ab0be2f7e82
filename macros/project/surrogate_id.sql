{#
    A stable bigint key: the first 64 bits of md5 over the key columns, so that it survives rebuilds, kills and targets.
    Example: surrogate_id(['index_name', 'stock_code', 'effective_date'])
#}
{% macro surrogate_id(columns) -%}
    ('x' || left(md5(concat_ws('|'{% for column in columns %}, coalesce({{ column }}::text, ''){% endfor %})), 16))::bit(64)::bigint
{%- endmacro %}
