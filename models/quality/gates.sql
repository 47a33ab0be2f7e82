-- Every verdict, one row per dataset, source, day and gate, with the value and the limits that it was judged by.
{% set gated = {
    'ohlcv_daily': 'int_daily_prices__gated',
    'etf_prices': 'int_fund_prices__gated',
    'investor_trading': 'int_investor_trading__gated',
    'ohlcv_minute': 'int_minute_bars__gated',
    'foreign_ownership_daily': 'int_foreign_ownership__gated',
    'index_daily': 'int_index_levels__gated',
    'etf_daily': 'int_etf_values__gated',
    'etf_portfolios': 'int_etf_portfolios__gated',
    'floating_shares': 'int_floating_shares__gated',
    'index_components': 'int_index_members__gated',
} %}

with

verdicts as (
    {% for dataset, relation in gated.items() %}
    select
        '{{ dataset }}' as dataset,
        *
    from {{ ref(relation) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

limits as (
    select
        dataset,
        gate,
        description_ko,
        description_en
    from {{ ref('gate_limits') }}
),

final as (
    select
        verdicts.dataset,
        verdicts.source,
        verdicts.trade_date,
        verdicts.gate,
        verdicts.verdict,
        verdicts.measured_value,
        verdicts.lowest,
        verdicts.highest,
        verdicts.item_count,
        verdicts.expected_count,
        verdicts.is_day_held,
        limits.description_ko,
        limits.description_en,
        verdicts.fetched_at
    from verdicts
    inner join limits on verdicts.dataset = limits.dataset and verdicts.gate = limits.gate
)

select * from final
