{#
    Descriptions of a relation and its columns as comments, in one statement. dbt-postgres looks up the columns twice and sends
    two statements, which is an eighth of a build of this many relations. A described column that is not there ends the build.
#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set comments = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do comments.append(alter_relation_comment(relation, model.description)) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for column in model.columns.values() -%}
            {%- set name = adapter.quote(column.name) if column.quote else column.name -%}
            {%- do comments.append(
                'comment on column ' ~ relation ~ '.' ~ name ~ ' is ' ~ postgres_escape_comment(column.description) ~ ';'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if comments -%}{%- do run_query(comments | join('\n')) -%}{%- endif -%}
{%- endmacro %}
