{#
    What gates hold of daily prices, of stocks and of funds apart: common table expressions `held` and `funds`. Asked by
    daily_price_is_not_held with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row.
    Example: with {{ daily_prices_held() }} select … from prices where {{ daily_price_is_not_held('prices') }}
#}
{% macro daily_prices_held() -%}
held as (
    select
        source,
        trade_date,
        false as is_fund
    from ({{ sources_held(ref('int_daily_prices__gated')) }}) as stocks_held
    union all
    select
        source,
        trade_date,
        true as is_fund
    from ({{ sources_held(ref('int_fund_prices__gated')) }}) as funds_held
),

funds as (
    {{ funds_listed() }}
)
{%- endmacro %}

{% macro daily_price_is_not_held(rows) -%}
    ({{ rows }}.source, {{ rows }}.trade_date, {{ rows }}.stock_code in (select funds.stock_code from funds))
        not in (select held.source, held.trade_date, held.is_fund from held)
{%- endmacro %}

{#  Condition on rows of a mart of daily prices, for meta.part_held_by: gates judge funds apart (etf_prices)  #}
{% macro is_of_a_fund() -%}
    stock_code in ({{ funds_listed() }})
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

{%- set condition = 'trade_date is not null and stock_code' ~ (' in' if of_funds else ' not in')
    ~ ' (select funds.stock_code from funds)' %}
{{ compared_with_session_before(
    ref('int_daily_prices__unioned'),
    'stock_code',
    'case
                when rows_at_hand.volume > 0
                    then
                        (rows_at_hand.close_price, rows_at_hand.volume, rows_at_hand.trading_value)
                        = (rows_before.close_price, rows_before.volume, rows_before.trading_value)
            end',
    columns=[
        'source', 'trade_date', 'stock_code', 'close_price', 'volume', 'trading_value', 'listed_shares',
        'vendor_market_cap', 'fetch_id', 'fetched_at',
    ],
    columns_before=['source', 'trade_date', 'stock_code', 'close_price', 'volume', 'trading_value'],
    condition=condition
) }},

{{ levels_of_days(
    ref('int_daily_prices__unioned'),
    {'shares_level': level_of('listed_shares', 10), 'price_level': level_of('close_price', 10)},
    condition
) }},

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
