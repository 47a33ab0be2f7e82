-- What an answer should hold and does not. One line a dataset.
{% set checked = {'daily_prices': 'int_daily_prices__missing'} %}

with

unioned as (
    {% for dataset, relation in checked.items() %}
    select
        '{{ dataset }}' as dataset,
        source,
        stock_code,
        trade_date,
        fetched_at
    from {{ ref(relation) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        dataset,
        source,
        stock_code,
        trade_date,
        'NOT_IN_ANSWER' as reason_code,
        '상장 종목이 응답에 없다' as reason_ko,
        'a listed name that the answer for its market and day lacks' as reason_en,
        fetched_at
    from unioned
)

select * from final
