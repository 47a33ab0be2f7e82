-- Whether a source's day may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['investor_trading', 'ohlcv_daily'],
        'gates': 'investor_trading',
        'with_next_sessions': 1,
    },
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('investor_trading') }},

flows as (
    select * from {{ ref('int_investor_trading__unioned') }}
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

flows_before as (
    select * from {{ ref('int_investor_trading__unioned') }}
    where true {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
),

closes as (
    select
        stock_code,
        trade_date,
        avg(close_price) as close_price
    from {{ ref('int_daily_prices__unioned') }}
    where
        broken_rules = ''
        {{ and_in_days_to_rebuild('trade_date') }}
    group by stock_code, trade_date
),

present as (
    select
        source,
        trade_date,
        stock_code
    from flows
    group by source, trade_date, stock_code
),

{{ names_listed() }},

compared as (
    select
        flows.*,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional,
        case
            when flows.buy_volume + flows.sell_volume > 0 and flows_before.source is not null
                then
                    (flows.buy_volume, flows.sell_volume, flows.buy_value, flows.sell_value)
                    = (
                        flows_before.buy_volume, flows_before.sell_volume, flows_before.buy_value,
                        flows_before.sell_value
                    )
        end as is_copy
    from flows
    left join calendar on flows.trade_date = calendar.date
    left join answers_confirmed
        on flows.fetch_id = answers_confirmed.fetch_id and flows.trade_date = answers_confirmed.collection_date
    left join flows_before
        on
            flows.source = flows_before.source
            and flows.stock_code = flows_before.stock_code
            and flows.vendor_investor = flows_before.vendor_investor
            and calendar.previous_session = flows_before.trade_date
),

stock_days as (
    select
        source,
        stock_code,
        trade_date,
        count(*) as row_count,
        count(*) filter (where num_nulls(buy_volume, sell_volume, buy_value, sell_value) > 0) as rows_with_null,
        count(is_copy) as rows_compared,
        count(*) filter (where is_copy) as rows_copied,
        sum(buy_volume) as buy_volume,
        sum(buy_value) as buy_value,
        bool_or(is_provisional) as is_provisional,
        max(fetched_at) as fetched_at
    from compared
    group by source, stock_code, trade_date
),

told_days as (
    select
        stock_days.source,
        stock_days.trade_date,
        count(*) as item_count,
        max(stock_days.fetched_at) as fetched_at,
        case when count(*) >= 20 then sum(stock_days.rows_with_null) / sum(stock_days.row_count) end as null_share,
        case
            when count(*) >= 10 and sum(stock_days.rows_compared) >= 50
                then sum(stock_days.rows_copied) / sum(stock_days.rows_compared)
        end as stale_copy,
        {{ median_of('stock_days.buy_value / nullif(stock_days.buy_volume * closes.close_price, 0)', 10) }}
            as value_unit,
        {{ 'null' if clock_stands_still() else 'avg(stock_days.is_provisional::integer)' }} as provisional
    from stock_days
    left join closes on stock_days.stock_code = closes.stock_code and stock_days.trade_date = closes.trade_date
    group by stock_days.source, stock_days.trade_date
),

measured as (
    select
        told_days.*,
        names_counted.expected_count,
        names_counted.part_of_listed as row_count,
        (calendar.is_session is not true)::integer as calendar
    from told_days
    left join names_counted
        on told_days.source = names_counted.source and told_days.trade_date = names_counted.trade_date
    left join calendar on told_days.trade_date = calendar.date
),

{{ gate_verdicts('investor_trading', [
    'row_count', 'null_share', 'stale_copy', 'value_unit', 'calendar', 'provisional',
]) }}

select * from final
