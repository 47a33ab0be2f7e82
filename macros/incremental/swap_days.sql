{#
    Incremental strategies that replace whole days, so that rows and days which disappeared upstream go too.

    swap_days: the days to rebuild are deleted and inserted again; of compressed ones what differs (in_names_that_differ), and
    nothing of rows that stay as they were last good (rows_as_last_good).
    swap_from_day: everything from the first day to rebuild on is; for tables whose rows lean on their predecessors.

    The days stand in the SQL as constants: the planner sees them and uses the index.
#}

{% macro days_as_sql_list(days) -%}
    {%- for day in days -%}date '{{ day }}'{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}

{#
    A condition that a table's day column lies on one of some days. A column of moments (meta.day_is_moment) is compared with
    the ends of the KST days, so that its index is of use. Both ends are constants: of a moment and an interval the planner knows
    nothing until it runs, and a delete from a hypertable unpacks every chunk that it has not left out by then.
#}
{% macro lies_on_days(meta, days) -%}
    {%- if not meta.get('day_is_moment') -%}
        {{ return(meta.day_column ~ ' in (' ~ days_as_sql_list(days) ~ ')') }}
    {%- endif -%}
    {%- set ranges = [] -%}
    {%- for day in days -%}
        {%- set next_day = modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(days=1) -%}
        {%- do ranges.append(
            meta.day_column ~ " >= timestamptz '" ~ day ~ " 00:00+09' and "
            ~ meta.day_column ~ " < timestamptz '" ~ next_day ~ " 00:00+09'"
        ) -%}
    {%- endfor -%}
    {{ return('(' ~ ranges | join(' or ') ~ ')') }}
{%- endmacro %}

{#  Example: where dataset = 'ohlcv_daily' … and_in_days_to_rebuild('collection_date')  #}
{% macro and_in_days_to_rebuild(column) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days is not none -%}
        and {{ column }} in ({{ days_as_sql_list(days) if days else 'null' }})
    {%- endif -%}
{%- endmacro %}

{#
    A condition on the numbers of answers: those that tell of the days to rebuild, as ranges of constants. A staging view is
    no table whose index a join could use, so without it every raw row that was ever collected would be converted, and then
    left out. Numbers that lie near each other share a range; there are fifty at most.
    Example: {% set at_hand = and_in_answers_to_days_to_rebuild('bars.fetch_id') %} … where true {{ at_hand }}
#}
{% macro and_in_answers_to_days_to_rebuild(column) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days is not none -%}
        {%- set query -%}
            with

            answers as (
                select fetch_id
                from raw.fetch_cells
                where
                    fetch_id is not null
                    and dataset in ('{{ model.config.meta.datasets | join("', '") }}')
                    and collection_date in ({{ days_as_sql_list(days) if days else 'null' }})
            ),

            distances as (
                select greatest(1000, (max(fetch_id) - min(fetch_id)) / 50) as near from answers
            ),

            ranges as (
                select
                    distances.near,
                    unnest(range_agg(int8range(answers.fetch_id, answers.fetch_id + distances.near, '[]'))) as fetch_ids
                from answers
                cross join distances
                group by distances.near
            )

            select format('{{ column }} between %s and %s', lower(fetch_ids), upper(fetch_ids) - 1 - near) from ranges
        {%- endset -%}
        {%- set ranges = run_query(query).columns[0].values() | list -%}
        and ({{ ranges | join(' or ') if ranges else 'false' }})
    {%- endif -%}
{%- endmacro %}

{#  The sessions before the days to rebuild, `sessions_back` of them: what those are compared with  #}
{% macro and_in_sessions_before_days_to_rebuild(column, sessions_back=1) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days is not none -%}
        {%- set sessions = neighbouring_sessions('previous_session', days, sessions_back) -%}
        and {{ column }} in ({{ days_as_sql_list(sessions) if sessions else 'null' }})
    {%- endif -%}
{%- endmacro %}

{#  Everything from the first day to rebuild on; nothing when there is none  #}
{% macro and_from_first_day_to_rebuild(column) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days is not none -%}
        and {{ column }} >= {{ days_as_sql_list(days[:1]) if days else "'infinity'" }}
    {%- endif -%}
{%- endmacro %}

{#  What lies before that day: the predecessors  #}
{% macro and_before_first_day_to_rebuild(column) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days is not none -%}
        and {{ column }} < {{ days_as_sql_list(days[:1]) if days else "'infinity'" }}
    {%- endif -%}
{%- endmacro %}

{#
    For a table that grows with the ledger itself (strategy append): what lies above its newest row, up to the run's mark,
    so that it is never ahead of the tables built beside it. The column is the ledger's number in the table too, and indexed.
    Example: where true … and_new_in_ledger('ledger_id')
#}
{% macro and_new_in_ledger(column) -%}
    {%- if is_writing_run() -%}
        and {{ column }} <= {{ ledger_range().to }}
        {%- if is_incremental() %} and {{ column }} > {{
            run_query('select coalesce(max(' ~ column ~ '), 0) from ' ~ this).rows[0][0] | int
        }}{% endif -%}
    {%- endif -%}
{%- endmacro %}

{#
    true where the table has no row of the days to rebuild, which is every new day: the rows go into it as they are computed,
    and not by way of a temporary table, from which they would be compared with what they replace. It is the first look at rows
    of these days in a transaction that writes them, so their chunks are locked before it (lock_chunks_of_days).
#}
{% macro takes_the_place_of_nothing() -%}
    {%- if model.takes_the_place_of_nothing is not defined -%}
        {%- set days = days_to_rebuild() if model.config.get('incremental_strategy') == 'swap_days' else [] -%}
        {%- if days and model.config.meta.get('timeseries') and existing_storage(this) == 'hypertable' -%}
            {%- do lock_chunks_of_days(this, days) -%}
        {%- endif -%}
        {%- do model.update({'takes_the_place_of_nothing': days and not run_query(
            'select exists (select from ' ~ this ~ ' where ' ~ lies_on_days(model.config.meta, days) ~ ')'
        ).rows[0][0]}) -%}
    {%- endif -%}
    {{ return(model.takes_the_place_of_nothing) }}
{%- endmacro %}

{% macro get_incremental_swap_days_sql(arg_dict) -%}
    {%- set days = days_to_rebuild() -%}
    {%- set condition = lies_on_days(model.config.meta, days) if days -%}
    {%- set kept = rows_as_last_good(days) if days -%}
    {%- set names = none -%}
    {%- if takes_the_place_of_nothing() %}
        {{ prepare_for_days(arg_dict['target_relation'], days) }}
        {{ insert_temporary_rows(arg_dict) }}
        {{ record_new_rows(arg_dict['target_relation'], days) }}
        drop view {{ arg_dict['temp_relation'] }};
    {%- else %}
        {%- if kept %}
        {%- set condition = condition ~ ' and not ' ~ kept %}
        {#-  and one name of them that another source has does not stand beside them  #}
        delete from {{ arg_dict['temp_relation'] }} where {{ kept }};
        {%- endif %}
        {%- if days %}
        {{ prepare_for_days(arg_dict['target_relation'], days) }}
        {{ record_swapped_rows(arg_dict, condition) }}
        {%- if chunks_of_days(arg_dict['target_relation'], days, only_packed=true) %}
        {%- set names = in_names_that_differ(arg_dict, condition) %}
        {%- endif %}
        delete from {{ arg_dict['target_relation'] }}
        where {{ condition }}{{ ' and ' ~ names if names }};
        {%- endif %}
        {{ insert_temporary_rows(arg_dict, names) }}
    {%- endif %}
{%- endmacro %}

{% macro get_incremental_swap_from_day_sql(arg_dict) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days %}
        {%- set condition = model.config.meta.day_column ~ ' >= ' ~ days_as_sql_list(days[:1]) %}
        {{ prepare_for_days(arg_dict['target_relation'], days) }}
        {{ record_swapped_rows(arg_dict, condition) }}
        delete from {{ arg_dict['target_relation'] }}
        where {{ condition }};
    {%- endif %}
    {{ insert_temporary_rows(arg_dict) }}
{%- endmacro %}

{% macro insert_temporary_rows(arg_dict, condition=none) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}{{ ' where ' ~ condition if condition }};
{%- endmacro %}
