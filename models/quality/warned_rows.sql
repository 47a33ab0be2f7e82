-- Published, but to be looked at. One line a dataset, as in rejected_rows.
{% set checked = {
    'daily_prices': ['int_daily_prices__unioned', 'collection_date', 'null'],
    'index_components': ['int_index_components__stated', 'trade_date', 'index_name'],
    'foreign_ownership_daily': ['int_foreign_ownership__unioned', 'trade_date', 'null'],
    'investor_trading': ['int_investor_trading__unioned', 'trade_date', 'vendor_investor'],
    'minute_bars': ['int_minute_bars__unioned', 'trade_date', 'minute_label'],
} %}

{{ rows_by_rule(checked, 'warned_rules') }}
