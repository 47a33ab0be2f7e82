{#
    The result of every test of every run, kept in `quality.dbt_test_results`. The mart data_quality_checks is a view over
    it, so that it shows the run that has just ended: this hook runs after the models.
#}

{#  How many failing rows of a test are kept with its result  #}
{% macro kept_failing_rows() -%}{{ return(20) }}{%- endmacro %}

{% macro create_audit_table() -%}
    create table if not exists quality.dbt_test_results (
        id bigint primary key,
        invocation_id text not null,
        test_id text not null,
        test_name text not null,
        table_name text not null,
        column_name text,
        check_type text not null,
        status text not null,
        severity text not null,
        issue_count bigint,
        message text,
        tags text[] not null,
        check_date date not null,
        created_at timestamptz not null,
        failing_query text,
        failing_rows jsonb
    );
    alter table quality.dbt_test_results
        add column if not exists failing_query text,
        add column if not exists failing_rows jsonb;
    create index if not exists dbt_test_results_check_date on quality.dbt_test_results (check_date)
{%- endmacro %}

{#
    DDL of a function that gives the first rows of a query as JSON. What goes wrong in it (a relation that is gone since, a row
    that no JSON holds) is told in the rows' place and never fails the hook.
#}
{% macro create_failing_rows_function() -%}
    create or replace function quality.first_rows(query text, row_limit integer) returns jsonb
    language plpgsql
    as $function$
    declare
        found_rows jsonb;
    begin
        execute 'select jsonb_agg(to_jsonb(found)) from (select * from (' || query
            || E'\n) as listed limit ' || row_limit || ') as found' into found_rows;
        return found_rows;
    exception
        when others then return jsonb_build_array(jsonb_build_object('error', sqlerrm));
    end
    $function$
{%- endmacro %}

{#  The client's word for a kind of check: from the test's own meta, else from the name of its generic test  #}
{% macro check_type_of(node) -%}
    {%- set words = {
        'not_null': 'NULL_CHECK',
        'unique': 'DUPLICATE_CHECK',
        'unique_combination': 'DUPLICATE_CHECK',
        'accepted_values': 'DOMAIN_CHECK',
        'accepted_values_window': 'DOMAIN_CHECK',
        'accepted_range': 'RANGE_CHECK',
        'relationships': 'REFERENCE_CHECK',
        'relationships_window': 'REFERENCE_CHECK',
        'as_of_relationship': 'REFERENCE_CHECK',
        'ratio_between': 'RANGE_CHECK',
        'within_price_limit_by_regime': 'RANGE_CHECK',
        'same_keys': 'COMPLETENESS_CHECK',
        'row_count_per_group': 'COMPLETENESS_CHECK',
        'rows_per_session': 'COMPLETENESS_CHECK',
        'snapshots_move': 'FRESHNESS_CHECK',
        'no_missing_sessions': 'COMPLETENESS_CHECK',
        'members_on_any_day': 'COMPLETENESS_CHECK',
        'no_failed_cells': 'COMPLETENESS_CHECK',
        'nothing_is_held': 'COMPLETENESS_CHECK',
        'sessions_only': 'CALENDAR_CHECK',
        'golden_rows': 'ACCURACY_CHECK',
        'ranges_do_not_overlap': 'CONSISTENCY_CHECK',
        'ranges_touch': 'CONSISTENCY_CHECK',
        'versions_do_not_overlap': 'CONSISTENCY_CHECK',
        'sums_to': 'CONSISTENCY_CHECK',
        'expression_is_true': 'CONSISTENCY_CHECK',
    } -%}
    {%- set generic_name = (node.test_metadata.name if node.test_metadata else '') -%}
    {{ return(node.config.meta.get('check_type') or words.get(generic_name, 'BUSINESS_RULE_CHECK')) }}
{%- endmacro %}

{#  The table that a test is about: the model that it is attached to, else the first that it reads  #}
{% macro tested_table(node) -%}
    {%- set id = node.attached_node or (node.depends_on.nodes | first) -%}
    {{ return(id.split('.')[-1] if id else node.name) }}
{%- endmacro %}

{% macro sql_text(value) -%}
    {{ return("null" if value is none else "'" ~ (value | string | replace("'", "''")) ~ "'") }}
{%- endmacro %}

{#  One row of values for a result; the query is kept where it found something, so that its rows can be looked at  #}
{% macro audit_row(result) -%}
    {%- set node = result.node -%}
    {%- set tags = [] -%}
    {%- for tag in node.tags %}{% do tags.append(sql_text(tag)) %}{% endfor -%}
    (
        '{{ invocation_id }}', {{ sql_text(node.unique_id) }}, {{ sql_text(node.name) }},
        {{ sql_text(tested_table(node)) }}, {{ sql_text(node.column_name) }}, {{ sql_text(check_type_of(node)) }},
        {{ sql_text(result.status) }}, {{ sql_text(node.config.severity | lower) }},
        {{ 'null' if result.failures is none else result.failures }}::bigint,
        {{ sql_text(result.message) }}, array[{{ tags | join(', ') }}]::text[],
        {{ sql_text(node.compiled_code if result.status in ['fail', 'warn', 'error'] else none) }}
    )
{%- endmacro %}

{#  on-run-end: the whole run in one statement  #}
{% macro write_audit(results) -%}
    {%- set tests = results | selectattr('node.resource_type', 'equalto', 'test') | list if execute else [] -%}
    {%- if tests -%}
        insert into quality.dbt_test_results (
            id, invocation_id, test_id, test_name, table_name, column_name, check_type, status, severity,
            issue_count, message, tags, failing_query, failing_rows, check_date, created_at
        )
        select
            {{ surrogate_id(['invocation_id', 'test_id']) }},
            checks.*,
            case
                when checks.status in ('fail', 'warn')
                    then quality.first_rows(checks.failing_query, {{ kept_failing_rows() }})
            end,
            (now() at time zone 'Asia/Seoul')::date,
            clock_timestamp()
        from (
            values
            {% for result in tests %}
            {{ audit_row(result) }}{{ ',' if not loop.last }}
            {% endfor %}
        ) as checks (
            invocation_id, test_id, test_name, table_name, column_name, check_type, status, severity, issue_count,
            message, tags, failing_query
        )
        on conflict (id) do nothing
    {%- endif -%}
{%- endmacro %}
