-- Whether a source's day of funds may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_daily'],
        'gates': 'etf_prices',
        'with_next_sessions': 5,
    },
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('ohlcv_daily') }},

{{ daily_price_measures(of_funds=true) }},

measured as (
    select
        told_days.*,
        recent.recent_count as expected_count,
        recent.shares_unit,
        recent.price_unit,
        -- a fund that was asked for by its name alone says nothing about the others
        case
            when recent.recent_count >= 20 and told_days.item_count >= 20
                then told_days.item_count::numeric / recent.recent_count
        end as row_count
    from told_days
    left join recent on told_days.source = recent.source and told_days.trade_date = recent.trade_date
),

{{ gate_verdicts('etf_prices', [
    'row_count', 'null_share', 'stale_copy', 'value_unit', 'market_cap_unit', 'shares_unit', 'price_unit', 'calendar',
    'provisional',
]) }}

select * from final
