-- Whether a source's day may be published: one row per source, day and gate that can be judged. Funds are asked for
-- apart, and not of every source: they are not counted, lest a source without them be too short to stand in for one
-- with them.
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

funds as (
    select stock_code
    from {{ ref('stocks') }}
    where security_type in ('ETF', 'ETN')
),

{% set of_stocks = 'and stock_code not in (select funds.stock_code from funds)' %}
{% set columns = [
    'source', 'trade_date', 'stock_code', 'close_price', 'volume', 'trading_value', 'listed_shares', 'vendor_market_cap',
    'fetch_id', 'fetched_at',
] %}
bars as (
    select {{ columns | join(', ') }}
    from {{ ref('int_daily_prices__unioned') }}
    where
        trade_date is not null
        {{ of_stocks }}
        {{ and_in_days_to_rebuild('trade_date') }}
),

bars_before as (
    select
        source,
        trade_date,
        stock_code,
        close_price,
        volume,
        trading_value
    from {{ ref('int_daily_prices__unioned') }}
    where
        trade_date is not null
        {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
),

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

compared as (
    select
        bars.*,
        calendar.is_session,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional,
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

day_levels as (
    select
        source,
        trade_date,
        count(*) as item_count,
        {{ level_of('listed_shares', 10) }} as shares_level,
        {{ level_of('close_price', 10) }} as price_level
    from {{ ref('int_daily_prices__unioned') }}
    where
        trade_date is not null
        {{ of_stocks }}
        and (
            (true {{ and_in_days_to_rebuild('trade_date') }})
            or (true {{ and_in_sessions_before_days_to_rebuild('trade_date', 5) }})
        )
    group by source, trade_date
),

{{ compared_with_recent_days({'shares_unit': 'shares_level', 'price_unit': 'price_level'}) }},

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
        max((is_session is not true)::integer) as calendar,
        {{ 'null' if clock_stands_still() else 'avg(is_provisional::integer)' }} as provisional
    from compared
    group by source, trade_date
),

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
