{#
    Which days the gates hold back, for the incremental models behind them (see progress.sql).

    A gate table says so by meta.gates, the dataset that it judges; a model is behind it when it is made of it, through any
    number of other models.
#}

{#  Gate tables that a node is made of and that judge one of some datasets, itself included  #}
{% macro gates_above(node, datasets) -%}
    {%- set found, queue = [], [node.unique_id] -%}
    {#-  the list grows while it is walked  -#}
    {%- for id in queue -%}
        {%- set gated = graph.nodes[id].config.meta.get('gates') -%}
        {%- if gated and gated in datasets -%}{%- do found.append(id) -%}{%- endif -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent.startswith('model.') and parent not in queue -%}
            {%- do queue.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#
    Days that are held for the model at hand or another node, as texts. `condition` is is_day_held: days of the dataset that
    meta.held_by names, which as a whole stay as they were; or is_held: days of its datasets of which some source is held.
    Example: held_days('is_day_held')
#}
{% macro held_days(condition, node_id=none) -%}
    {%- set found, node_at_hand = [], graph.nodes[node_id or model.unique_id] -%}
    {%- set meta = node_at_hand.config.meta -%}
    {%- for id in gates_above(node_at_hand, [meta.held_by] if condition == 'is_day_held' else meta.datasets) -%}
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

{#
    on-run-start: a full refresh has nothing but the newest answers, so that a day that is held would go, though it is published
    as it was last good. It does not begin before somebody has decided about those days.
#}
{% macro refuse_to_lose_held_days() -%}
    {%- if not flags.FULL_REFRESH or var('full_refresh_loses_held_days', false) -%}{{ return('') }}{%- endif -%}
    {%- set lost = [] -%}
    {%- for id in selected_resources if id.startswith('model.') -%}
        {%- set node = graph.nodes[id] -%}
        {%- set meta = node.config.meta -%}
        {%- set days = held_days('is_day_held', id) if meta.get('held_by') else [] -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) if days else none -%}
        {%- if relation -%}
            {%- do lost.extend(run_query(
                "select distinct '" ~ node.name ~ " ' || " ~ day_of_row(meta) ~ ' from ' ~ relation ~ ' where ' ~ lies_on_days(meta, days)
            ).columns[0].values()) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if lost -%}
        {{ exceptions.raise_compiler_error(
            'a full refresh would lose what gates hold as it was last good: ' ~ lost | sort | join(', ')
            ~ '. Look at quality.held_days and retract or review these answers first; or let the days go with'
            ~ " --vars 'full_refresh_loses_held_days: true'"
        ) }}
    {%- endif -%}
{%- endmacro %}
