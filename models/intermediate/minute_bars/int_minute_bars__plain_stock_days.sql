-- Stocks and days of which every bar is sound, in the two halves that are built at once.
with

even_codes as (
    select * from {{ ref('int_minute_bars__plain_even_codes') }}
),

odd_codes as (
    select * from {{ ref('int_minute_bars__plain_odd_codes') }}
),

final as (
    select * from even_codes
    union all
    select * from odd_codes
)

select * from final
