{#
    Stocks by every list of listed securities, of the answers in a CTE of cells, in one shape; more columns of the CTE are carried
    along. A further list is one line here.

    Example: listed_stocks('cells', ['isin', 'stock_name'], ['fetched_at'])
#}
{% macro listed_stocks(cells, attributes, more_columns) -%}
{%- set relations = {
    'stg_infomax__stock_code': 'infomax',
    'stg_krx__stk_isu_base_info': 'krx',
    'stg_krx__ksq_isu_base_info': 'krx',
    'stg_krx__knx_isu_base_info': 'krx',
    'stg_krx__portal_stocks': 'krx',
    'int_stocks__kis_listed': 'kis',
    'stg_kiwoom__stock_list': 'kiwoom',
} -%}
{%- for relation, source_name in relations.items() %}
    select
        {{ cells }}.source,
        {{ cells }}.scope,
        {{ cells }}.collection_date as list_date,
        listed.stock_code,
        {%- for attribute in attributes %}
        listed.{{ attribute }},
        {%- endfor %}
        {%- for column in more_columns %}
        {{ cells }}.{{ column }},
        {%- endfor %}
        listed.fetch_id,
        listed.row_number
    from {{ cells }}
    inner join {{ ref(relation) }} as listed on {{ cells }}.fetch_id = listed.fetch_id
    where {{ cells }}.source = '{{ source_name }}'
    {{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}
