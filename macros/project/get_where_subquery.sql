{#
    Lets a test on a large fact say `where: __recent__` (with meta.day_column on the model). It then looks at the last
    `test_window_days` days up to the newest row and at every day that this run has rebuilt, so that the cost of a daily build
    does not grow with history and a back-filled year is tested all the same. Everything is tested after a full build
    of the model, with --full-refresh and with --vars 'test_window_days: all'.
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if where == '__recent__' -%}
        {%- set where = recent_days(relation) if execute else '' -%}
    {%- endif -%}
    {%- if where -%}
        (select * from {{ relation }} where {{ where }}) as dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#  The condition behind __recent__, or '' for everything. Days are constants: with a subquery the planner would expect
    a third of the table.  #}
{% macro recent_days(relation) -%}
    {%- set tested = graph.nodes.get(model.attached_node) or {} -%}
    {%- set meta = {'day_column': 'time'} -%}
    {%- do meta.update(tested.get('config', {}).get('meta', {})) -%}
    {%- if flags.FULL_REFRESH or var('test_window_days') | string == 'all' or not load_relation(relation) -%}
        {{ return('') }}
    {%- endif -%}
    {#- the newest day of a view that groups its table, or lists what is wrong with it, is the table's (meta.window_of): of the view
        it would cost all history, and a view without a row has none -#}
    {%- set table = graph.nodes['model.' ~ project_name ~ '.' ~ meta.window_of] if meta.get('window_of') else none -%}
    {#- asked once a table and not once a test: what a run has built of a table stays so while its tests run -#}
    {%- set window = tested.get('test_window') -%}
    {%- if window is none -%}
        {%- set built = days_built_in_this_run(table.unique_id if table else model.attached_node) -%}
        {%- set newest = none -%}
        {%- if built is not none -%}
            {%- set newest = run_query("select to_char(max(" ~ (table.config.meta.day_column if table else meta.day_column)
                ~ ")::date - " ~ var('test_window_days') ~ ", 'YYYY-MM-DD') from "
                ~ (table.relation_name if table else relation)).rows[0][0] -%}
        {%- endif -%}
        {%- set window = {'newest': newest, 'built': built} -%}
        {%- do tested.update({'test_window': window}) -%}
    {%- endif -%}
    {%- set newest, built = window.newest, window.built -%}
    {%- if newest is none or built is none -%}
        {{ return('') }}
    {%- endif -%}
    {%- set older = built | select('le', newest) | list -%}
    {{ return(meta.day_column ~ " > date '" ~ newest ~ "'"
        ~ (" or " ~ lies_on_days(meta, older) if older else "")) }}
{%- endmacro %}

{#  Days of a model that this run has rebuilt, as texts: none when it built everything, an empty list when nothing  #}
{% macro days_built_in_this_run(model_id) -%}
    {%- if not is_writing_run() -%}{{ return([]) }}{%- endif -%}
    {%- set rows = run_query(
        "select array_to_string(rebuilt_days, ',') from ops.build_progress where model = '" ~ model_id
        ~ "' and invocation_id = '" ~ invocation_id ~ "'"
    ).rows -%}
    {%- if not rows -%}{{ return([]) }}{%- endif -%}
    {%- if rows[0][0] is none -%}{{ return(none) }}{%- endif -%}
    {{ return(rows[0][0].split(',') | reject('equalto', '') | list) }}
{%- endmacro %}
