{#
    Lets a test on a large fact say `where: __recent__` (with meta.day_column on the model): it then looks at the last
    `test_window_days` days up to the newest row, so that the cost of a daily build does not grow with history. Everything is
    tested with --full-refresh and with --vars 'test_window_days: all'.
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if where == '__recent__' -%}
        {%- set node = graph.nodes.get(model.attached_node) or {} -%}
        {%- set day_column = node.get('config', {}).get('meta', {}).get('day_column', 'time') -%}
        {%- if flags.FULL_REFRESH or var('test_window_days') | string == 'all' -%}
            {%- set where = '' -%}
        {%- else -%}
            {%- set where = day_column ~ " > (select max(" ~ day_column ~ ") from " ~ relation ~ ") - "
                ~ var('test_window_days') -%}
        {%- endif -%}
    {%- endif -%}
    {%- if where -%}
        (select * from {{ relation }} where {{ where }}) as dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
