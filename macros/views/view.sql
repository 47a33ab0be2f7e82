{#
    Views that are replaced where they stand. dbt's own way makes a new one, renames both and drops the old one with all that
    stands on it: until each of those is made again, readers of the marts and of the quality pages find nothing there, and
    where the build stops half-way they find nothing at all. Two such drops that reach the same views lock each other out, too.

    Only where the columns that were there do not stay as they are is the old view dropped, as dbt would.
#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set is_replaced = existing is not none and existing.is_view -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and not is_replaced -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
        {{ replaced_view(target_relation, sql) if is_replaced else get_create_view_as_sql(target_relation, sql) }}
    {%- endcall %}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=is_replaced) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#  Statement that replaces a view, and makes it anew where its columns do not allow that  #}
{% macro replaced_view(relation, sql) -%}
    do $replaced_view$
    begin
        {{ get_replace_view_sql(relation, sql) }}
    exception when invalid_table_definition then
        {{ one_drop_at_a_time(as_function=true) }}
        drop view {{ relation }} cascade;
        {{ get_create_view_as_sql(relation, sql) }}
    end
    $replaced_view$
{%- endmacro %}

{#
    Statement that lets one thread of dbt at a time drop what others stand on: `cascade` takes its locks in the order in which
    it meets them, and two threads that meet the same views from two sides would wait for each other for ever.
#}
{% macro one_drop_at_a_time(as_function=false) -%}
    {{ 'perform' if as_function else 'select' }} pg_advisory_xact_lock(hashtext('korean_market_warehouse.drop'));
{%- endmacro %}

{#  dbt's hook for whatever is dropped with what stands on it  #}
{% macro postgres__drop_relation(relation) -%}
    {% call statement('drop_relation', auto_begin=False) -%}
        {{ one_drop_at_a_time() }}
        {{ get_drop_sql(relation) }}
    {%- endcall %}
{%- endmacro %}
