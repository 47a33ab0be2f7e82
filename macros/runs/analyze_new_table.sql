{#
    post-hook: statistics of a table that was just built whole. Without them the planner takes a new table for nearly empty, and
    what is built on it in the same run may loop over it row by row; the server's own analyze comes a minute later.

    After an exchange of days too, where the planner expects far fewer rows of them than there are. Of a table that holds a
    hundred days or fewer the statistics name every day, and one that they do not name counts as a single row: a month that was
    back-filled behind another one was joined with itself row by row, and the build did not end.

    meta.analyzed_by_day: after every exchange of days, of these columns, by which others join and choose.
#}
{% macro analyze_new_table() -%}
    {%- if execute and model.config.materialized in ['incremental', 'table'] -%}
        {%- set columns = model.config.meta.get('analyzed_by_day') -%}
        {%- if not is_incremental() -%}
            analyze {{ this }}
        {%- elif columns and days_to_rebuild() -%}
            analyze {{ this }} ({{ columns | join(', ') }})
        {%- elif holds_more_than_expected() -%}
            analyze {{ this }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#
    true where the days that were exchanged have more than a thousand rows, and ten times as many as the planner expects. Rows
    are counted up to that limit only. Columns of moments are judged by their range, which needs no list of days.
#}
{% macro holds_more_than_expected() -%}
    {%- set meta = model.config.meta -%}
    {%- set days = days_to_rebuild() if meta.get('day_column') and meta.get('datasets') and not meta.get('day_is_moment') -%}
    {%- if not days -%}{{ return(false) }}{%- endif -%}
    {%- set rows_of_days = 'select from ' ~ this ~ ' where ' ~ lies_on_days(meta, days) -%}
    {%- set plan = run_query('explain ' ~ rows_of_days).rows[0][0] -%}
    {%- set limit = [1000, 10 * (modules.re.search('rows=([0-9]+)', plan).group(1) | int)] | max -%}
    {{ return(run_query(
        'select count(*) > ' ~ limit ~ ' from (' ~ rows_of_days ~ ' limit ' ~ (limit + 1) ~ ') as rows_of_days'
    ).rows[0][0]) }}
{%- endmacro %}
