{#
    The result of every test of every run, kept in `quality.dbt_test_results`. The mart data_quality_checks is a view over
    it, so that it shows the run that has just ended: this hook runs after the models.
#}

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
        created_at timestamptz not null
    );
    create index if not exists dbt_test_results_check_date on quality.dbt_test_results (check_date);
{%- endmacro %}

{#  The client's word for a kind of check: from the test's own meta, else from the name of its generic test  #}
{% macro check_type_of(node) -%}
    {%- set words = {
        'not_null': 'NULL_CHECK',
        'unique': 'DUPLICATE_CHECK',
        'unique_combination': 'DUPLICATE_CHECK',
        'accepted_values': 'DOMAIN_CHECK',
        'accepted_range': 'RANGE_CHECK',
        'within_price_limit': 'RANGE_CHECK',
        'relationships': 'REFERENCE_CHECK',
        'no_missing_sessions': 'COMPLETENESS_CHECK',
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

{% macro write_audit(results) -%}
    {% if execute %}
        {% set tests = results | selectattr('node.resource_type', 'equalto', 'test') | list %}
        {% if tests %}
            insert into quality.dbt_test_results
            select
                {{ surrogate_id(['invocation_id', 'test_id']) }},
                *,
                (now() at time zone 'Asia/Seoul')::date,
                clock_timestamp()
            from (
                values
                {% for result in tests %}
                {% set node = result.node %}
                (
                    '{{ invocation_id }}',
                    {{ sql_text(node.unique_id) }},
                    {{ sql_text(node.name) }},
                    {{ sql_text(tested_table(node)) }},
                    {{ sql_text(node.column_name) }},
                    {{ sql_text(check_type_of(node)) }},
                    {{ sql_text(result.status) }},
                    {{ sql_text(node.config.severity | lower) }},
                    {{ result.failures if result.failures is not none else 'null' }}::bigint,
                    {{ sql_text(result.message) }},
                    array[{% for tag in node.tags %}{{ sql_text(tag) }}{{ ', ' if not loop.last }}{% endfor %}]::text[]
                ){{ ',' if not loop.last }}
                {% endfor %}
            ) as checks (
                invocation_id, test_id, test_name, table_name, column_name, check_type, status, severity, issue_count,
                message, tags
            )
            on conflict (id) do nothing
        {% endif %}
    {% endif %}
{%- endmacro %}
