{#
    dbt run-operation move_time_series [--target timescale]

    Moves every time series that is kept otherwise than this target would make it: a plain table of an older warehouse, or one
    of another target, in any direction. Rows, keys, indexes, comments and rights stay, and the views on it too; nothing is
    computed, so rows whose raw answers are gone are moved as well. One transaction a table: what fails has changed nothing.
    It counts as a run: a build does not start beside it.
#}
{% macro move_time_series() -%}
    {%- do run_query(create_run_register()) -%}
    {%- do run_query('commit') -%}
    {%- do register_or_refuse() -%}
    {%- do run_query(create_run_tables()) -%}
    {%- do run_query('commit') -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.meta.get('timeseries') -%}
        {%- set relation = api.Relation.create(node.database, node.schema, node.alias, type='table') -%}
        {%- set found = existing_storage(relation) -%}
        {%- set wanted = wanted_storage(node.config.meta.timeseries) -%}
        {%- if found in [none, wanted] -%}
            {%- do log(node.alias ~ ': ' ~ (found or 'not built yet') ~ ', nothing to move', info=true) -%}
        {%- else -%}
            {%- if found == 'hypertable' -%}{%- do drop_continuous_aggregates(node) -%}{%- endif -%}
            {%- do run_query(moved_table(relation, node, found, wanted)) -%}
            {%- do log(node.alias ~ ': moved from ' ~ found ~ ' to ' ~ wanted, info=true) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do run_query(closed_run()) -%}
    {%- do run_query('commit') -%}
{%- endmacro %}

{#
    The statements that move one table. Readers go on meanwhile, but for those of a hypertable: a job on it that has begun would
    wait for its chunks, and the end of the move for the job.
#}
{% macro moved_table(relation, node, found, storage) -%}
    {%- set meta = node.config.meta -%}
    {%- set moving = relation.incorporate(path={'identifier': relation.identifier ~ '__moving'}) -%}
    {%- set moved = relation.incorporate(path={'identifier': relation.identifier ~ '__moved'}) -%}
    {%- set follow = run_query(what_follows_a_table(relation)).columns[0].values() -%}
    begin;
    lock table {{ relation }} in {{ 'access exclusive' if found == 'hypertable' else 'share row exclusive' }} mode;
    create table {{ moving }} (like {{ relation }} including all)
    {{ 'partition by range (' ~ meta.day_column ~ ')' if storage == 'partitions' }};
    {% if storage == 'partitions' -%}
        {{ create_partitions(moving, node.name, meta, months_of_days(months_of_table(relation, meta))) }}
    {%- elif storage == 'hypertable' -%}
        {{ create_hypertable(moving, meta, primary_key_columns(node)) }}
        {{ allow_changes_of_compressed_rows() }}
    {%- endif %}
    insert into {{ moving }} select * from {{ relation }};
    alter table {{ relation }} rename to {{ moved.identifier }};
    alter table {{ moving }} rename to {{ relation.identifier }};
    {{ follow | join(';\n    ') }}{{ ';' if follow }}
    -- without `cascade`: whatever else hangs on the table stops the move
    drop table {{ moved }};
    commit;
    analyze {{ relation }};
    commit
{%- endmacro %}

{# Months in which a table has rows, by their first day #}
{% macro months_of_table(relation, meta) -%}
    {{ return(run_query(
        "select distinct to_char(date_trunc('month', " ~ day_of_row(meta) ~ "), 'YYYY-MM-DD') from " ~ relation
    ).columns[0].values() | list) }}
{%- endmacro %}

{#
    Statements that give a table of the same name what belongs to this one and is no part of its columns: its comment,
    the rights on it, and the views that read it, which know it by identity and not by name.
#}
{% macro what_follows_a_table(relation) -%}
    select format('comment on table {{ relation }} is %L', obj_description(to_regclass('{{ relation }}'), 'pg_class'))
    union all
    select format(
        'grant %s on {{ relation }} to %s', granted.privilege_type,
        case when granted.grantee = 0 then 'public' else granted.grantee::regrole::text end
    )
    from pg_class
    cross join lateral aclexplode(pg_class.relacl) as granted
    where pg_class.oid = to_regclass('{{ relation }}') and granted.grantee <> pg_class.relowner
    union all
    select format('create or replace view %s as %s', views.oid::regclass, rtrim(pg_get_viewdef(views.oid), '; '))
    from pg_class as views
    where views.relkind = 'v'
        and views.oid in (
            select pg_rewrite.ev_class
            from pg_depend
            inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
            where pg_depend.classid = 'pg_rewrite'::regclass
                and pg_depend.refclassid = 'pg_class'::regclass
                and pg_depend.refobjid = to_regclass('{{ relation }}')
        )
{%- endmacro %}
