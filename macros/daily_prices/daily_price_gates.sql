{#
    What gates hold of daily prices: common table expressions `held`, `held_funds` and `funds`, asked with `not in`, which the
    planner takes for a rare hit; it would take a join for one that leaves no row. daily_price_is_not_held is the question.
    Example: with {{ daily_prices_held() }} select … from prices where {{ daily_price_is_not_held('prices') }}
#}
{% macro daily_prices_held() -%}
held as (
    {{ sources_held(ref('int_daily_prices__gated')) }}
),

held_funds as (
    {{ sources_held(ref('int_fund_prices__gated')) }}
),

funds as (
    {{ funds_listed() }}
)
{%- endmacro %}

{% macro daily_price_is_not_held(rows) -%}
    (
            ({{ rows }}.source, {{ rows }}.trade_date) not in (select held.source, held.trade_date from held)
            or {{ rows }}.stock_code in (select funds.stock_code from funds)
        )
        and (
            ({{ rows }}.source, {{ rows }}.trade_date) not in (
                select held_funds.source, held_funds.trade_date from held_funds
            )
            or {{ rows }}.stock_code not in (select funds.stock_code from funds)
        )
{%- endmacro %}

{% macro funds_listed() -%}
    select stock_code
    from {{ ref('stocks') }}
    where security_type in ('ETF', 'ETN')
{%- endmacro %}

{#
    What the gates measure of daily prices: common table expressions up to `told_days`, one row per source and day, and `recent`, how
    the day compares with the five sessions before. Of stocks, or of the funds, which are asked for apart and not of every source:
    counted together, a source without funds would be too short to stand in for one with them, and a wrong day of the few
    would hold the many, or pass among them.
    Needs `answers_confirmed` and `calendar` of what_was_asked. Example: {{ daily_price_measures(of_funds=false) }}
#}
{% macro daily_price_measures(of_funds) -%}
funds as (
    {{ funds_listed() }}
),

{%- set at_hand = 'and stock_code' ~ (' in' if of_funds else ' not in') ~ ' (select funds.stock_code from funds)' %}
{% set columns = [
    'source', 'trade_date', 'stock_code', 'close_price', 'volume', 'trading_value', 'listed_shares', 'vendor_market_cap',
    'fetch_id', 'fetched_at',
] %}
bars as (
    select {{ columns | join(', ') }}
    from {{ ref('int_daily_prices__unioned') }}
    where
        trade_date is not null
        {{ at_hand }}
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
        {{ at_hand }}
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
)
{%- endmacro %}
