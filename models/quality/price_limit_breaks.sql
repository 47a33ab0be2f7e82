-- Published prices further from their base than the market allowed, and what exempts them: the first session of a
-- listing, liquidation trading before a delisting, a fund. What nothing exempts is another unit, a split without a new
-- base, or a wrong digit.
with

warned as not materialized (
    select
        trade_date,
        stock_code,
        source,
        vendor_market,
        base_price,
        close_price,
        high_price,
        low_price,
        listed_shares
    from {{ ref('int_daily_prices__unioned') }}
    where broken_rules = '' and warned_rules like '%PRICE_BEYOND_LIMIT%'
),

stocks as (
    select
        stock_code,
        security_type,
        listing_date,
        delisting_date
    from {{ ref('stocks') }}
),

published as not materialized (
    select
        time,
        stock_code,
        source
    from {{ ref('ohlcv_daily') }}
),

final as (
    select
        warned.trade_date,
        warned.stock_code,
        warned.source,
        warned.vendor_market,
        warned.base_price,
        warned.close_price,
        warned.high_price,
        warned.low_price,
        round(100 * (warned.close_price / nullif(warned.base_price, 0) - 1), 2) as close_change_rate,
        case
            when stocks.security_type in ('ETF', 'ETN') then 'LEVERAGE'
            when stocks.listing_date = warned.trade_date then 'FIRST_SESSION'
            when
                stocks.listing_date is null
                and not exists (
                    select 1
                    from published as earlier
                    where earlier.stock_code = warned.stock_code and earlier.time < warned.trade_date
                )
                then 'FIRST_SESSION'
            -- seven sessions of liquidation trading, and a holiday or two
            when warned.trade_date >= stocks.delisting_date - 20 then 'LIQUIDATION'
        end as exemption,
        published.stock_code is not null as is_published
    from warned
    left join stocks on warned.stock_code = stocks.stock_code
    left join published
        on
            warned.trade_date = published.time
            and warned.stock_code = published.stock_code
            and warned.source = published.source
)

select * from final
