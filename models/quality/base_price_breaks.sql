-- Base prices of each source that are not its own close of the session before, and that no factor explains: a stale or
-- a shifted day, swapped codes, a factor without an action. Of the source that is published the factor itself says so.
with

daily_prices as not materialized (
    select
        trade_date,
        stock_code,
        source,
        base_price,
        close_price,
        listed_shares
    from {{ ref('int_daily_prices__unioned') }}
    where broken_rules = ''
),

calendar as (
    select
        date,
        previous_session
    from {{ ref('trading_calendar') }}
),

factors as (
    select
        stock_code,
        ex_date,
        kind,
        reason,
        base_price
    from {{ ref('adjustment_factors') }}
),

compared as (
    select
        daily_prices.trade_date,
        daily_prices.stock_code,
        daily_prices.source,
        daily_prices.base_price,
        previous_prices.close_price as previous_close,
        daily_prices.listed_shares,
        previous_prices.listed_shares as previous_listed_shares
    from daily_prices
    inner join calendar on daily_prices.trade_date = calendar.date
    inner join daily_prices as previous_prices
        on
            calendar.previous_session = previous_prices.trade_date
            and daily_prices.stock_code = previous_prices.stock_code
            and daily_prices.source = previous_prices.source
    where daily_prices.base_price <> previous_prices.close_price
),

final as (
    select
        compared.trade_date,
        compared.stock_code,
        compared.source,
        compared.base_price,
        compared.previous_close,
        round(compared.base_price / compared.previous_close, 6) as ratio,
        compared.listed_shares,
        compared.previous_listed_shares,
        factors.kind,
        factors.reason
    from compared
    left join factors on compared.stock_code = factors.stock_code and compared.trade_date = factors.ex_date
    where
        -- the published source's own base: explained by a record, by the shares, or by a tick
        factors.stock_code is null
        or factors.kind = 'UNKNOWN'
        or factors.base_price is distinct from compared.base_price
)

select * from final
