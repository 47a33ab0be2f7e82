{#
    dbt's own test not_null selects the column alone, which is null in every row that it finds: here with the whole row, so that
    data_quality_checks tells which rows they are.
#}
{% macro default__test_not_null(model, column_name) -%}
    select *
    from {{ model }}
    where {{ column_name }} is null
{%- endmacro %}
