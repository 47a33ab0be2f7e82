-- The newest free float of every stock as it was known at the end of the session's business date: input of
-- snap_floating_shares
with

floats as (
    select * from {{ ref('int_floating_shares__known') }}
    where {{ known_on_business_date() }}
),

newest as (
    select distinct on (stock_code) *
    from floats
    order by stock_code asc, base_date desc
),

final as (
    select
        stock_code::varchar(10) as stock_code,
        base_date,
        total_shares::bigint as total_shares,
        floating_shares::bigint as floating_shares,
        round(floating_ratio, 2)::numeric(5, 2) as floating_ratio,
        known_basis::varchar(10) as known_basis
    from newest
)

select * from final
