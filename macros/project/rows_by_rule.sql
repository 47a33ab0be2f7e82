{#
    Rows of the checked tables that break rules, one a rule, with what the rule says in both languages.
    Example: rows_by_rule({'daily_prices': ['int_daily_prices__unioned', 'collection_date', 'null']}, 'broken_rules')
#}
{% macro rows_by_rule(checked, rules_column) -%}
with

unioned as (
    {% for dataset, (relation, day, item) in checked.items() %}
    select
        '{{ dataset }}' as dataset,
        source,
        stock_code,
        {{ day }} as trade_date,
        {{ item }}::text as item,
        {{ rules_column }},
        fetch_id,
        row_number,
        fetched_at
    from {{ ref(relation) }}
    where {{ rules_column }} <> ''
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

rules as (
    select
        rule_id,
        dataset,
        description_ko,
        description_en
    from {{ ref('quality_rules') }}
),

final as (
    select
        unioned.dataset,
        unioned.source,
        unioned.stock_code,
        unioned.trade_date,
        unioned.item,
        broken.rule_id,
        rules.description_ko as reason_ko,
        rules.description_en as reason_en,
        unioned.fetch_id,
        unioned.row_number,
        unioned.fetched_at
    from unioned
    cross join lateral unnest(string_to_array(unioned.{{ rules_column }}, ',')) as broken (rule_id)
    left join rules on broken.rule_id = rules.rule_id and unioned.dataset = rules.dataset
)

select * from final
{%- endmacro %}
