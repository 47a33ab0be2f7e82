{#
    A schema is called what the project calls it, without the target's name in front: analysts, roles and the other
    targets rely on `marts`, `staging`, … Example: `+schema: marts` -> marts.ohlcv_daily.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
