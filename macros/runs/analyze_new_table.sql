{#
    post-hook: statistics of a table that was just built whole. Without them the planner takes a new table for nearly empty, and
    what is built on it in the same run may loop over it row by row; the server's own analyze comes a minute later.

    meta.analyzed_by_day: after an exchange of days too, of these columns, by which others join and choose. Of a table that holds
    a hundred days or fewer the statistics name every day, and one that they do not name counts as a single row: half a million
    new minutes were joined with themselves row by row.
#}
{% macro analyze_new_table() -%}
    {%- if execute and model.config.materialized in ['incremental', 'table'] -%}
        {%- set columns = model.config.meta.get('analyzed_by_day') -%}
        {%- if not is_incremental() -%}
            analyze {{ this }}
        {%- elif columns and days_to_rebuild() -%}
            analyze {{ this }} ({{ columns | join(', ') }})
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
