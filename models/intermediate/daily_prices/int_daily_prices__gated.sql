-- Whether a source's day of stocks may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_daily'],
        'gates': 'ohlcv_daily',
        'with_next_sessions': 5,
    },
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('ohlcv_daily') }},

{{ daily_price_measures(of_funds=false) }},

present as (
    select
        source,
        trade_date,
        stock_code
    from {{ ref('int_daily_prices__unioned') }}
    where
        trade_date is not null
        {{ and_in_days_to_rebuild('trade_date') }}
),

{{ names_listed() }},

-- where a whole market was asked for, how many names the sessions before had
days_asked as (
    select
        markets_asked.source,
        markets_asked.trade_date,
        max(recent.recent_count) as recent_count
    from markets_asked
    inner join recent on markets_asked.source = recent.source and markets_asked.trade_date = recent.trade_date
    group by markets_asked.source, markets_asked.trade_date
),

measured as (
    select
        told_days.*,
        coalesce(names_counted.expected_count, days_asked.recent_count) as expected_count,
        recent.shares_unit,
        recent.price_unit,
        coalesce(
            names_counted.part_of_listed,
            -- no list says who should be there: the sessions before do
            case when days_asked.recent_count >= 10 then told_days.item_count::numeric / days_asked.recent_count end
        ) as row_count
    from told_days
    left join recent on told_days.source = recent.source and told_days.trade_date = recent.trade_date
    left join names_counted
        on told_days.source = names_counted.source and told_days.trade_date = names_counted.trade_date
    left join days_asked
        on told_days.source = days_asked.source and told_days.trade_date = days_asked.trade_date
),

{{ gate_verdicts('ohlcv_daily', [
    'row_count', 'null_share', 'stale_copy', 'value_unit', 'market_cap_unit', 'shares_unit', 'price_unit', 'calendar',
    'provisional',
]) }}

select * from final
