{#
    Listed shares by every list that tells them, of the answers in a CTE of cells, in one shape. A further list is one line here.

    Example: listed_shares('cells')
#}
{% macro listed_shares(cells) -%}
{%- set relations = {
    'stg_krx__stk_isu_base_info': 'krx',
    'stg_krx__ksq_isu_base_info': 'krx',
    'stg_krx__knx_isu_base_info': 'krx',
    'int_stocks__kis_listed': 'kis',
} -%}
{%- for relation, source_name in relations.items() %}
    select
        {{ cells }}.source,
        {{ cells }}.scope,
        {{ cells }}.collection_date,
        listed.stock_code,
        listed.listed_shares,
        {{ cells }}.fetch_id,
        listed.row_number,
        {{ cells }}.fetched_at
    from {{ cells }}
    inner join {{ ref(relation) }} as listed on {{ cells }}.fetch_id = listed.fetch_id
    where {{ cells }}.source = '{{ source_name }}'
    {{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}
