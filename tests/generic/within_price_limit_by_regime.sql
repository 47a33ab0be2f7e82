{#
    Prices of a stock and session lie within the limit that its market had on that day (seed `price_limits`), measured from the base
    price. Exempt are first sessions, funds (leveraged ones have a limit of their own) and the last sessions before a delisting, which
    may be liquidation trading. The model has stock_code and time; market and kind are those of stock_universe_daily.
    Arguments: prices (list), base_price, liquidation_days.
#}
{% test within_price_limit_by_regime(model, prices, base_price='base_price', liquidation_days=20) %}

with tested as (
    select * from {{ model }}
)

select
    tested.stock_code,
    tested.time,
    universe.market,
    limits.limit_rate,
    tested.{{ base_price }},
    tested.{{ prices | join(', tested.') }}
from tested
inner join {{ ref('stock_universe_daily') }} as universe
    on tested.stock_code = universe.stock_code and tested.time = universe.time
inner join {{ ref('price_limits') }} as limits
    on
        universe.market = limits.market
        and tested.time >= limits.valid_from
        and (tested.time < limits.valid_to or limits.valid_to is null)
left join {{ ref('stocks') }} as stocks on tested.stock_code = stocks.stock_code
where
    not universe.is_first_day
    and coalesce(universe.security_type, '') not in ('ETF', 'ETN')
    and coalesce(tested.time < stocks.delisting_date - {{ liquidation_days }}, true)
    and (
        {% for price in prices -%}
        abs(tested.{{ price }} - tested.{{ base_price }}) > limits.limit_rate * nullif(tested.{{ base_price }}, 0)
        {{ 'or ' if not loop.last }}
        {%- endfor %}
    )

{% endtest %}
