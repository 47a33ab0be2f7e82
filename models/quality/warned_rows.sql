-- Published, but to be looked at. One line a dataset, as in rejected_rows.
{% set checked = {
    'daily_prices': ['int_daily_prices__unioned', 'collection_date', 'null'],
    'index_components': ['int_index_components__stated', 'trade_date', 'index_name'],
    'foreign_ownership_daily': ['int_foreign_ownership__unioned', 'trade_date', 'null'],
    'minute_bars': ['int_minute_bars__unioned', 'trade_date', 'minute_label'],
} %}

with

unioned as (
    {% for dataset, (relation, day, item) in checked.items() %}
    select
        '{{ dataset }}' as dataset,
        source,
        stock_code,
        {{ day }} as trade_date,
        {{ item }}::text as item,
        warned_rules,
        fetch_id,
        row_number,
        fetched_at
    from {{ ref(relation) }}
    where warned_rules <> ''
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
    cross join lateral unnest(string_to_array(unioned.warned_rules, ',')) as broken (rule_id)
    left join rules on broken.rule_id = rules.rule_id and unioned.dataset = rules.dataset
)

select * from final
