{#
    How a time series is kept, behind one set of models.

    A model says config(meta={'timeseries': {…}}) and nothing else of storage:
        native_partitions   'month', or none: on PostgreSQL alone, partitions by KST month or one table
        chunk_interval      the variable that says how long a chunk of a hypertable is
        aggregated_by, aggregates   its continuous aggregates, if any: see continuous_aggregates.sql
    On the target timescale it becomes a hypertable. A table cannot be turned into either afterwards: it is made empty,
    with contract and key, then partitioned, then filled, in the transaction of the model.
#}

{# 'partitions', 'hypertable' or 'plain': how a table with this meta.timeseries is made on this target #}
{% macro wanted_storage(timeseries) -%}
    {%- if timeseries and target.name == 'timescale' -%}
        {%- do check_timescale() -%}
        {{ return('hypertable') }}
    {%- endif -%}
    {{ return('partitions' if timeseries and timeseries.native_partitions else 'plain') }}
{%- endmacro %}

{# The same of a table that is there, whoever made it; none where there is none #}
{% macro existing_storage(relation) -%}
    {%- set found = run_query(
        "select relkind::text, exists (select from pg_extension where extname = 'timescaledb')"
        ~ " from pg_class where oid = to_regclass('" ~ relation ~ "')"
    ).rows -%}
    {%- if not found -%}{{ return(none) }}{%- endif -%}
    {%- if found[0][0] == 'p' -%}{{ return('partitions') }}{%- endif -%}
    {%- if found[0][1] and is_hypertable(relation) -%}{{ return('hypertable') }}{%- endif -%}
    {{ return('plain') }}
{%- endmacro %}

{#
    dbt's hook for new tables: its own for everything but time series. Rows that nothing is compared with (swap_days) need no
    temporary table on their way either: a view stands for it.
#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- if temporary and takes_the_place_of_nothing() -%}
        {{ config.get('sql_header', '') }}
        {%- if model.config.contract.enforced -%}{{ get_assert_columns_equivalent(sql) }}{%- endif -%}
        create temporary view {{ relation }} as ({{ sql }});
    {%- else -%}
        {{ create_table_in_its_storage(temporary, relation, sql) }}
    {%- endif -%}
{%- endmacro %}

{# A table as dbt makes it, but for its key, or as wanted_storage says #}
{% macro create_table_in_its_storage(temporary, relation, sql) -%}
    {%- set meta = {} if temporary else model.config.get('meta', {}) -%}
    {%- set storage = wanted_storage(meta.get('timeseries')) -%}
    {%- if storage == 'plain' and not temporary and primary_key_columns(model) -%}
        {{ return(create_table_and_then_its_key(relation, sql)) }}
    {%- elif storage == 'plain' -%}
        {{ return(dbt.postgres__create_table_as(temporary, relation, sql)) }}
    {%- endif -%}
    create table {{ relation }}
    {{ get_assert_columns_equivalent(sql) }}
    {{ get_table_columns_and_constraints() }}
    {{ 'partition by range (' ~ meta.day_column ~ ')' if storage == 'partitions' }};
    {% if storage == 'partitions' -%}
        {{ create_partitions(relation, model.name, meta, months_of_days(collected_days(meta.datasets))) }}
    {%- else -%}
        {{ create_hypertable(relation, meta, primary_key_columns(model)) }}
    {%- endif %}
    insert into {{ relation }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
    {{ get_select_subquery(sql) }};
{%- endmacro %}

{#
    A table with a contract as dbt makes it, but for its key, which it gets when it is full: an index built of all rows takes a
    fifth of the time of one that every row is put into.
#}
{% macro create_table_and_then_its_key(relation, sql) -%}
    {%- set keys = model.constraints | selectattr('type', 'equalto', 'primary_key') | list -%}
    {%- set others = model.constraints | rejectattr('type', 'equalto', 'primary_key') | list -%}
    {%- set columns = adapter.render_raw_columns_constraints(raw_columns=model.columns) -%}
    {{ config.get('sql_header', '') }}
    create table {{ relation }}
    {{ get_assert_columns_equivalent(sql) }}
    ({{ (columns + adapter.render_raw_model_constraints(raw_constraints=others)) | join(', ') }});
    insert into {{ relation }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
    {{ get_select_subquery(sql) }};
    {%- for key in adapter.render_raw_model_constraints(raw_constraints=keys) %}
    alter table {{ relation }} add {{ key }};
    {%- endfor %}
{%- endmacro %}

{#
    What a table needs before rows of some days are exchanged in it; the strategies of macros/incremental call it in the
    transaction of the exchange. By what the table is and not by what the target would make of it: one that was not moved yet
    goes on as it is.
#}
{% macro prepare_for_days(relation, days) -%}
    {%- set meta = model.config.get('meta', {}) -%}
    {%- set storage = existing_storage(relation) if meta.get('timeseries') else none -%}
    {%- if storage == 'partitions' -%}
        {{ create_partitions(relation, model.name, meta, months_of_days(days)) }}
    {%- elif storage == 'hypertable' -%}
        {{ allow_changes_of_compressed_rows() }}
    {%- endif -%}
{%- endmacro %}
