-- Published, but to be looked at; what a review published stands here too. One line a dataset, as in rejected_rows.
{% set checked = {
    'daily_prices': ['int_daily_prices__unioned', 'collection_date', 'null'],
    'index_components': ['int_index_components__stated', 'trade_date', 'index_name'],
    'foreign_ownership_daily': ['int_foreign_ownership__unioned', 'trade_date', 'null'],
    'investor_trading': ['int_investor_trading__unioned', 'trade_date', 'vendor_investor'],
    'minute_bars': ['int_minute_bars__doubtful', 'trade_date', 'minute_label'],
} %}

with

warned as (
    {{ rows_by_rule(checked, 'warned_rules') }}
),

reviewed as (
    select * from {{ ref('reviewed_rows') }}
),

{% set columns = [
    'dataset', 'source', 'stock_code', 'trade_date', 'item', 'rule_id', 'reason_ko', 'reason_en', 'review', 'fetch_id',
    'row_number', 'fetched_at',
] %}
final as (
    select
        {% for column in columns %}
        {{ 'null::text as review' if column == 'review' else column }}{{ ',' if not loop.last }}
        {% endfor %}
    from warned
    union all
    select {{ columns | join(', ') }}
    from reviewed
)

select * from final
