{#
    Which days the gates hold back, for the incremental models behind them (see progress.sql).

    A gate table says so by meta.gates, the dataset that it judges; a model is behind it when it is made of it, through any
    number of other models.
#}

{#  Gate tables that a node is made of and that judge a dataset  #}
{% macro gates_above(node, dataset) -%}
    {%- set found, queue = [], [node.unique_id] -%}
    {#-  the list grows while it is walked  -#}
    {%- for id in queue -%}
        {%- if graph.nodes[id].config.meta.get('gates') == dataset -%}{%- do found.append(id) -%}{%- endif -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent.startswith('model.') and parent not in queue -%}
            {%- do queue.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#  Days of a dataset that the gates above a node hold as a whole, as texts  #}
{% macro held_days(node, dataset) -%}
    {%- set found = [] -%}
    {%- for id in gates_above(node, dataset) -%}
        {%- set node = graph.nodes[id] -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation -%}
            {%- do found.extend(run_query(
                "select distinct to_char(trade_date, 'YYYY-MM-DD') from " ~ relation ~ ' where is_day_held'
            ).columns[0].values()) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | sort | list) }}
{%- endmacro %}

{#
    Days among some of which the model at hand keeps what it has, since a dataset is held on them: the last good state, unless
    that is what is held now. As texts.
#}
{% macro days_as_last_good(dataset, days) -%}
    {%- set held = held_days(graph.nodes[model.unique_id], dataset) | select('in', days) | list -%}
    {{ return(held | reject('in', days_refuted(held, dataset)) | list if held else []) }}
{%- endmacro %}

{#
    Condition on rows of the days at hand that stay as they were last good, or none. A dataset's gate judges some rows of a day
    apart from the others (meta.part_held_by: the dataset, and the name of a macro that gives the condition on those rows).
#}
{% macro rows_as_last_good(days) -%}
    {%- set conditions = [] -%}
    {%- for dataset, part in model.config.meta.get('part_held_by', {}).items() -%}
        {%- set held = days_as_last_good(dataset, days) -%}
        {%- if held -%}{%- do conditions.append('(' ~ lies_on_days(model.config.meta, held) ~ ' and ' ~ context[part]() ~ ')') -%}{%- endif -%}
    {%- endfor -%}
    {{ return('(' ~ conditions | join(' or ') ~ ')' if conditions else none) }}
{%- endmacro %}

{#
    What is to be known of days in what the model at hand is made of, beside the ledger, as a query of texts that begin with the
    day; none where nothing is collected: how gates hold them, and which were looked at again. Of a gate table it is what stands
    there, of any other parent what that one was built with: a release that the parent has not taken in yet is none for its
    children.
#}
{% macro states_of_days() -%}
    {%- set queries, tables = [], [] -%}
    {%- for id in parents_with_progress(model) -%}
        {%- set parent = graph.nodes[id] -%}
        {%- if not parent.config.meta.get('gates') -%}
            {%- do tables.append(id) -%}
        {%- elif adapter.get_relation(parent.database, parent.schema, parent.alias) -%}
            {%- do queries.append(
                "select distinct concat_ws('|', to_char(trade_date, 'YYYY-MM-DD'), '" ~ parent.name ~ "', source, is_day_held)"
                ~ ' as entry from ' ~ parent.relation_name ~ ' where is_held or is_day_held'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if tables -%}
        {%- do queries.append(
            "select concat_ws('|', left(entry, 10), model, md5(string_agg(entry, ' ' order by entry))) as entry"
            ~ " from ops.build_progress, unnest(states || looks) as entry where model in ('" ~ tables | join("', '") ~ "')"
            ~ ' group by left(entry, 10), model'
        ) -%}
    {%- endif -%}
    {{ return(queries | join(' union all ') or none) }}
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
        {%- set parts = meta.get('part_held_by', {}) -%}
        {%- for dataset in ([meta.held_by] if meta.get('held_by') else []) + (parts | list) -%}
            {%- set days = held_days(node, dataset) -%}
            {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) if days else none -%}
            {%- if relation -%}
                {%- do lost.extend(run_query(
                    "select distinct '" ~ node.name ~ " ' || " ~ day_of_row(meta) ~ ' from ' ~ relation ~ ' where '
                    ~ lies_on_days(meta, days) ~ (' and ' ~ context[parts[dataset]]() if dataset in parts else '')
                ).columns[0].values()) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if lost -%}
        {{ exceptions.raise_compiler_error(
            'a full refresh would lose what gates hold as it was last good: ' ~ lost | unique | sort | join(', ')
            ~ '. Look at quality.held_days and retract or review these answers first; or let the days go with'
            ~ " --vars 'full_refresh_loses_held_days: true'"
        ) }}
    {%- endif -%}
{%- endmacro %}
