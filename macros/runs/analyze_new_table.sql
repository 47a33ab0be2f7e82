{#
    post-hook: statistics of a table that was just built whole. Without them the planner takes a new table for nearly empty, and
    what is built on it in the same run may loop over it row by row; the server's own analyze comes a minute later.
#}
{% macro analyze_new_table() -%}
    {%- if execute and model.config.materialized in ['incremental', 'table'] and not is_incremental() -%}
        analyze {{ this }}
    {%- endif -%}
{%- endmacro %}
