-- One line a dataset: where its rows are checked, the day of a row, and what tells two rows of a stock and day apart.
{% set checked = {
    'daily_prices': ['int_daily_prices__unioned', 'collection_date', 'null'],
    'investor_trading': ['int_investor_trading__unioned', 'trade_date', 'vendor_investor'],
    'stocks': ['int_stocks__refused', 'trade_date', 'null'],
    'index_members': ['int_index_members__unioned', 'trade_date', 'index_name'],
    'index_changes': ['int_index_changes__unioned', 'trade_date', 'index_name'],
    'index_daily': ['int_index_levels__unioned', 'trade_date', 'index_name'],
    'foreign_ownership_daily': ['int_foreign_ownership__unioned', 'trade_date', 'null'],
    'etf_daily': ['int_etf_values__unioned', 'trade_date', 'null'],
    'etf_portfolios': ['int_etf_portfolios__unioned', 'trade_date', 'component_code'],
    'floating_shares': ['int_floating_shares__unioned', 'trade_date', 'null'],
    'corporate_actions': ['int_corporate_actions__recorded', 'trade_date', 'kind'],
    'minute_bars': ['int_minute_bars__doubtful', 'trade_date', 'minute_label'],
} %}

{{ rows_by_rule(checked, 'broken_rules') }}
