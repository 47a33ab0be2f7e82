{#
    dbt's hook for the rows of a seed. Its own asks for the sign of a value once a value, which for the closures of thirty years is
    8,000 calls of a macro; a row of signs is the same for all rows.
#}
{% macro postgres__load_csv_rows(model, agate_table) -%}
    {%- set columns = get_seed_column_quoted_csv(model, agate_table.column_names) -%}
    {%- set signs = [] -%}
    {%- for column in agate_table.column_names -%}{%- do signs.append('%s') -%}{%- endfor -%}
    {%- set row_of_signs = '(' ~ signs | join(', ') ~ ')' -%}
    {%- set statements = [] -%}
    {%- for chunk in agate_table.rows | batch(get_batch_size()) -%}
        {%- set values, rows_of_signs = [], [] -%}
        {%- for row in chunk -%}
            {%- do values.extend(row) -%}
            {%- do rows_of_signs.append(row_of_signs) -%}
        {%- endfor -%}
        {%- set sql = 'insert into ' ~ this.render() ~ ' (' ~ columns ~ ') values ' ~ rows_of_signs | join(', ') -%}
        {%- do adapter.add_query(sql, bindings=values, abridge_sql_log=True) -%}
        {%- do statements.append(sql) -%}
    {%- endfor -%}
    {{ return(statements[0]) }}
{%- endmacro %}
