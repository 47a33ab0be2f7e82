{#
    Rows of all lists that tell sectors, of the answers in a CTE of cells, in one shape. A further list is one line here: its
    staging model, source, classification and the levels that it tells.

    Example: listed_sectors('cells')
#}
{% macro listed_sectors(cells) -%}
{%- set levels = ['large_sector_code', 'medium_sector_code', 'small_sector_code'] -%}
{%- set relations = {
    'stg_kis__kospi_code': ('kis', 'KRX', levels),
    'stg_kis__kosdaq_code': ('kis', 'KRX', levels),
    'stg_wics__components': ('wics', 'WICS', levels[:2]),
} -%}
{%- for relation, (source_name, classification, known_levels) in relations.items() %}
    select
        {{ cells }}.source,
        '{{ classification }}'::text as classification,
        {{ cells }}.scope,
        {{ cells }}.collection_date,
        listed.list_date,
        listed.stock_code,
        {%- for level in levels %}
        {{ 'listed.' ~ level if level in known_levels else 'null::text' }} as {{ level }},
        {%- endfor %}
        listed.fetch_id,
        listed.row_number,
        {{ cells }}.fetched_at
    from {{ cells }}
    inner join {{ ref(relation) }} as listed on {{ cells }}.fetch_id = listed.fetch_id
    where
        {{ cells }}.source = '{{ source_name }}'
        and listed.stock_code ~ '^[0-9][0-9A-Z]{5}$'
        and num_nonnulls({% for level in known_levels %}listed.{{ level }}{{ ', ' if not loop.last }}{% endfor %}) > 0
    {{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}
