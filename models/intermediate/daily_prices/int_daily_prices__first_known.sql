-- The best source's row of a stock and session as it was known before the next session opened.
with

{{ daily_prices_held() }},

-- what a gate holds back is not published; an answer that it replaced is
told as (
    select as_told.*
    from {{ ref('int_daily_prices__as_told') }} as as_told
    where
        as_told.broken_rules = ''
        and (not as_told.is_current or {{ daily_price_is_not_held('as_told') }})
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'ohlcv_daily'
),

final as (
    select distinct on (told.trade_date, told.stock_code)
        told.source,
        told.stock_code,
        told.trade_date,
        told.stock_name,
        told.vendor_market,
        told.close_price,
        told.base_price,
        told.volume,
        told.listed_shares,
        told.is_suspended,
        told.known_before
    from told
    left join source_priorities on told.source = source_priorities.source
    order by told.trade_date, told.stock_code, source_priorities.priority, told.source
)

select * from final
