{#
    Tables that views stand on take their new rows where they stand. dbt's own way puts a new table in the place of the old one
    and drops that with every view on it: readers find nothing until each of those is made again, for good where a build stops
    half-way or is asked for a part alone.

    A table on which nothing stands, or whose columns do not stay as they are, or that a full refresh makes anew, is exchanged
    as dbt would.
#}
{% materialization table, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set new_relation = make_intermediate_relation(target_relation) -%}
    {%- set backup_relation = make_backup_relation(target_relation, 'table' if existing is none else existing.type) -%}
    {#-  what a build that was killed left behind  -#}
    {%- do drop_relation_if_exists(load_cached_relation(new_relation)) -%}
    {%- do drop_relation_if_exists(load_cached_relation(backup_relation)) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ get_create_table_as_sql(False, new_relation, sql) }}
    {%- endcall %}
    {%- set keeps_its_place = existing is not none and existing.is_table and not should_full_refresh()
        and has_views_on_it(existing) and columns_as_text(existing) == columns_as_text(new_relation) -%}
    {%- if keeps_its_place -%}
        {% call statement('exchange_rows') -%}
            delete from {{ existing }};
            insert into {{ existing }} select * from {{ new_relation }}
        {%- endcall %}
        {%- do adapter.drop_relation(new_relation) -%}
    {%- else -%}
        {%- do create_indexes(new_relation) -%}
        {%- if existing is not none -%}{%- do adapter.rename_relation(existing, backup_relation) -%}{%- endif -%}
        {%- do adapter.rename_relation(new_relation, target_relation) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do apply_grants(
        target_relation, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=not keeps_its_place)
    ) -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do adapter.commit() -%}
    {%- if existing is not none and not keeps_its_place -%}{%- do drop_relation_if_exists(backup_relation) -%}{%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#  true when a view, of the project or of a user, reads a table  #}
{% macro has_views_on_it(relation) -%}
    {{ return(run_query(
        "select exists (select from pg_depend where refclassid = 'pg_class'::regclass and classid = 'pg_rewrite'::regclass"
        ~ " and refobjid = '" ~ relation ~ "'::regclass)"
    ).rows[0][0]) }}
{%- endmacro %}

{#  Names and types of the columns of a table in their order  #}
{% macro columns_as_text(relation) -%}
    {{ return(run_query(
        "select coalesce(string_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull, ', ' order by attnum), '')"
        ~ " from pg_attribute where attrelid = '" ~ relation ~ "'::regclass and attnum > 0 and not attisdropped"
    ).rows[0][0]) }}
{%- endmacro %}
