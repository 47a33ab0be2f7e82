{#
    Kiwoom writes numbers with one sign or two (`--30433` is -30433), so they are brought to one sign before they are read.
    Example: kiwoom_one_sign('source_rows.orgn')
#}
{% macro kiwoom_one_sign(column) -%}
    regexp_replace({{ column }}, '^[+-]+([+-])', '\1')
{%- endmacro %}
