-- NULLs and leaps in the published values of the report's days: a leap is a value so many times the one that the same
-- name had on its session before, or the reverse. Odd and not wrong: a split leaps, a take-over multiplies the volume.
{% set marts = {
    'ohlcv_daily': {
        'key': 'stock_code',
        'excused': {'open_price': 'volume = 0', 'high_price': 'volume = 0', 'low_price': 'volume = 0'},
        'fields': {
            'open_price': none, 'high_price': none, 'low_price': none, 'close_price': 1.31, 'base_price': none, 'volume': 100,
            'trading_value': 100,
        },
    },
    'market_cap_daily': {'key': 'stock_code', 'fields': {'market_cap': 1.31, 'shares_outstanding': 1.5}},
    'investor_trading': {
        'key': "stock_code || ' ' || investor_type",
        'fields': {'buy_volume': 1000, 'sell_volume': 1000, 'buy_value': 1000, 'sell_value': 1000},
    },
    'foreign_ownership_daily': {
        'key': 'stock_code', 'fields': {'owned_shares': 2, 'ownership_ratio': 2, 'limit_ratio': none},
    },
    'etf_daily': {'key': 'stock_code', 'fields': {'net_asset_value': 1.6, 'net_assets': 3}},
    'index_daily': {'key': 'index_name', 'fields': {'close': 1.1, 'volume': 10, 'trading_value': 10, 'market_cap': 1.1}},
} %}

with

clock as (
    select (checked_at at time zone 'Asia/Seoul')::date as today from {{ ref('stg_audit__warehouse') }}
),

{% for mart, parts in marts.items() %}
-- two weeks more, so that the first day has a day before it over Chuseok too
{{ mart }}_rows as (
    select
        published.time as trade_date,
        {{ parts.key }} as item,
        {% for field in parts.fields %}
        published.{{ field }}::numeric as {{ field }},
        {% endfor %}
        published.time > clock.today - {{ var('report_days') }} as is_reported
    from {{ ref(mart) }} as published
    inner join clock
        on published.time > clock.today - {{ var('report_days') }} - 14 and published.time <= clock.today
),

{{ mart }}_values as (
    select
        rows_of_mart.trade_date,
        rows_of_mart.item,
        rows_of_mart.is_reported,
        fields.field,
        fields.value,
        fields.leap_limit,
        fields.is_excused,
        lag(fields.value) over (partition by rows_of_mart.item, fields.field order by rows_of_mart.trade_date)
            as previous_value
    from {{ mart }}_rows as rows_of_mart
    cross join lateral (
        values
        {% for field, limit in parts.fields.items() %}
        (
            '{{ field }}', rows_of_mart.{{ field }}, {{ 'null' if limit is none else limit }}::numeric,
            {{ 'rows_of_mart.' ~ parts.excused[field] if field in parts.get('excused', {}) else 'false' }}
        ){{ ',' if not loop.last }}
        {% endfor %}
    ) as fields (field, value, leap_limit, is_excused)
),

{% endfor %}
unioned as (
    {% for mart in marts %}
    select
        '{{ mart }}' as dataset,
        *
    from {{ mart }}_values
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        dataset,
        field,
        count(*) as value_count,
        count(*) - count(value) as null_count,
        -- without trades a day has no open, high and low
        count(*) filter (where value is null and is_excused is not true) as unexplained_null_count,
        min(leap_limit) as leap_limit,
        count(*) filter (
            where value > 0 and previous_value > 0
            and greatest(value / previous_value, previous_value / value) > leap_limit
        ) as leap_count,
        min(item) filter (
            where value > 0 and previous_value > 0
            and greatest(value / previous_value, previous_value / value) > leap_limit
        ) as leap_example
    from unioned
    where is_reported
    group by dataset, field
)

select * from final
