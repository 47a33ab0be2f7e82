with

daily_prices as (
    select * from {{ ref('int_daily_prices__unioned') }}
    where broken_rules <> ''
),

flows as (
    select * from {{ ref('int_investor_trading__unioned') }}
    where is_held_back
),

unioned as (
    select
        'daily_prices' as dataset,
        source,
        stock_code,
        trade_date,
        null::text as item,
        broken_rules,
        fetch_id,
        row_number,
        fetched_at
    from daily_prices
    union all
    select
        'investor_trading' as dataset,
        source,
        stock_code,
        trade_date,
        vendor_investor as item,
        -- a good leaf of a stock and day that is held back for another leaf
        coalesce(nullif(broken_rules, ''), 'HELD_WITH_ITS_GROUP') as broken_rules,
        fetch_id,
        row_number,
        fetched_at
    from flows
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
    cross join lateral unnest(string_to_array(unioned.broken_rules, ',')) as broken (rule_id)
    left join rules on broken.rule_id = rules.rule_id and unioned.dataset = rules.dataset
)

select * from final
