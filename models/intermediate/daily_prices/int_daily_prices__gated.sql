-- Whether a source's day may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['ohlcv_daily'], 'gates': 'ohlcv_daily'},
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('ohlcv_daily') }},

bars as (
    select * from {{ ref('int_daily_prices__unioned') }}
    where
        trade_date is not null
        {{ and_in_days_to_rebuild('trade_date') }}
),

bars_before as (
    select * from {{ ref('int_daily_prices__unioned') }}
    where
        trade_date is not null
        {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
),

present as (
    select
        source,
        trade_date,
        stock_code
    from bars
),

{{ names_listed() }},

compared as (
    select
        bars.*,
        calendar.is_session,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional,
        bars_before.close_price as close_before,
        bars_before.listed_shares as shares_before,
        case
            when bars.volume > 0 and bars_before.source is not null
                then
                    (bars.close_price, bars.volume, bars.trading_value)
                    = (bars_before.close_price, bars_before.volume, bars_before.trading_value)
        end as is_copy
    from bars
    left join calendar on bars.trade_date = calendar.date
    left join answers_confirmed
        on bars.fetch_id = answers_confirmed.fetch_id and bars.trade_date = answers_confirmed.collection_date
    left join bars_before
        on
            bars.source = bars_before.source
            and bars.stock_code = bars_before.stock_code
            and calendar.previous_session = bars_before.trade_date
),

days_before as (
    select
        source,
        trade_date,
        count(*) as item_count
    from bars_before
    group by source, trade_date
),

told_days as (
    select
        source,
        trade_date,
        count(*) as item_count,
        max(fetched_at) as fetched_at,
        {{ part_of("num_nulls(close_price, volume, trading_value) > 0", 20) }} as null_share,
        {{ part_of('is_copy', 10) }} as stale_copy,
        {{ median_of('trading_value / nullif(volume * close_price, 0)', 10) }} as value_unit,
        {{ median_of('vendor_market_cap / nullif(close_price * listed_shares, 0)', 10) }} as market_cap_unit,
        {{ median_of('listed_shares / nullif(shares_before, 0)', 10) }} as shares_unit,
        {{ median_of('close_price / nullif(close_before, 0)', 10) }} as price_unit,
        max((is_session is not true)::integer) as calendar,
        {{ 'null' if clock_stands_still() else 'avg(is_provisional::integer)' }} as provisional
    from compared
    group by source, trade_date
),

measured as (
    select
        told_days.*,
        names_counted.expected_count,
        case
            when names_counted.part_of_listed is not null then names_counted.part_of_listed
            -- no list says who should be there: the session before does
            when markets_of_day.trade_date is not null and days_before.item_count >= 10
                then told_days.item_count::numeric / days_before.item_count
        end as row_count
    from told_days
    left join names_counted
        on told_days.source = names_counted.source and told_days.trade_date = names_counted.trade_date
    left join (
        select
            source,
            trade_date
        from markets_asked
        group by source, trade_date
    ) as markets_of_day
        on told_days.source = markets_of_day.source and told_days.trade_date = markets_of_day.trade_date
    left join calendar on told_days.trade_date = calendar.date
    left join days_before
        on told_days.source = days_before.source and calendar.previous_session = days_before.trade_date
),

{{ gate_verdicts('ohlcv_daily', [
    'row_count', 'null_share', 'stale_copy', 'value_unit', 'market_cap_unit', 'shares_unit', 'price_unit', 'calendar',
    'provisional',
]) }}

select * from final
