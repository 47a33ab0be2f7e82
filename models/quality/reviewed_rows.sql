-- Published by review: rows that break a rule, and that somebody has looked at and found right. One line a dataset, as
-- in rejected_rows.
{% set checked = {
    'daily_prices': ['int_daily_prices__unioned', 'collection_date', 'null'],
    'investor_trading': ['int_investor_trading__unioned', 'trade_date', 'vendor_investor'],
    'index_daily': ['int_index_levels__unioned', 'trade_date', 'index_name'],
    'etf_daily': ['int_etf_values__unioned', 'trade_date', 'null'],
    'foreign_ownership_daily': ['int_foreign_ownership__unioned', 'trade_date', 'null'],
    'floating_shares': ['int_floating_shares__unioned', 'trade_date', 'null'],
    'corporate_actions': ['int_corporate_actions__recorded', 'trade_date', 'kind'],
    'minute_bars': ['int_minute_bars__doubtful', 'trade_date', 'minute_label'],
} %}

with

reviewed as (
    {{ rows_by_rule(checked, 'reviewed_rules') }}
),

exceptions as (
    select * from {{ ref('reviewed_exceptions') }}
),

final as (
    select
        reviewed.dataset,
        reviewed.source,
        reviewed.stock_code,
        reviewed.trade_date,
        reviewed.item,
        reviewed.rule_id,
        reviewed.reason_ko,
        reviewed.reason_en,
        format(
            'published by review of %s on %s: %s (%s)',
            exceptions.reviewed_by, exceptions.reviewed_on, exceptions.reason, exceptions.evidence
        ) as review,
        reviewed.fetch_id,
        reviewed.row_number,
        reviewed.fetched_at
    from reviewed
    inner join exceptions
        on
            reviewed.dataset = exceptions.dataset
            and reviewed.source = exceptions.source
            and coalesce(reviewed.stock_code, '') = coalesce(exceptions.stock_code, '')
            and reviewed.trade_date = exceptions.trade_date
            and reviewed.rule_id = exceptions.rule_id
            and (exceptions.item is null or reviewed.item = exceptions.item)
)

select * from final
