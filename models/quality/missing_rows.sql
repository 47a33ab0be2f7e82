-- What an answer should hold and does not
with

missing_names as (
    select * from {{ ref('int_collection__missing_names') }}
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
    from missing_names
)

select * from final
