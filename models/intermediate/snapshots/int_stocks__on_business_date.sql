-- Every listed security as it was known at the end of the session's business date: input of snap_stocks
with

stocks as (
    select * from {{ ref('int_stocks__known') }}
    where is_active and {{ known_on_business_date() }}
),

-- the exchange's classification first, then WICS, as in marts.stocks
stock_sectors as (
    select distinct on (stock_code)
        stock_code,
        sector_id
    from {{ ref('int_stock_sectors__known') }}
    where sector_id is not null and {{ known_on_business_date() }}
    order by stock_code, classification
),

final as (
    select
        stocks.stock_code,
        stocks.state_date,
        stocks.stock_name,
        stocks.market,
        stocks.segment,
        stocks.security_type,
        stock_sectors.sector_id,
        stocks.listed_shares,
        stocks.is_active,
        stocks.known_basis
    from stocks
    left join stock_sectors on stocks.stock_code = stock_sectors.stock_code
)

select * from final
