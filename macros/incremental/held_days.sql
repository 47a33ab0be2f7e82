{#
    Which days the gates hold back, for the incremental models behind them (see progress.sql).

    A gate table says so by meta.gates, the dataset that it judges; a model is behind it when it is made of it, through any
    number of other models.
#}

{#  Gate tables of the datasets of a node that it is made of, itself included  #}
{% macro gates_above(node) -%}
    {%- set found, queue = [], [node.unique_id] -%}
    {#-  the list grows while it is walked  -#}
    {%- for id in queue -%}
        {%- set gated = graph.nodes[id].config.meta.get('gates') -%}
        {%- if gated and gated in node.config.meta.datasets -%}{%- do found.append(id) -%}{%- endif -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent.startswith('model.') and parent not in queue -%}
            {%- do queue.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#
    Days of the model's datasets that are held, as texts. `condition` is is_day_held, where the day as a whole stays as it was,
    or is_held, where some source is.
    Example: held_days('is_day_held')
#}
{% macro held_days(condition) -%}
    {%- set found = [] -%}
    {%- for id in gates_above(graph.nodes[model.unique_id]) -%}
        {%- set node = graph.nodes[id] -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation -%}
            {%- do found.extend(run_query(
                "select distinct to_char(trade_date, 'YYYY-MM-DD') from " ~ relation ~ ' where ' ~ condition
            ).columns[0].values()) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | sort | list) }}
{%- endmacro %}

{#  true for the database of the sample market, whose clock stands still: when it was asked says nothing  #}
{% macro clock_stands_still() -%}
    {{ return(execute and run_query("select coalesce(max(kind), '') = 'SAMPLE' from ops.warehouse").rows[0][0]) }}
{%- endmacro %}
