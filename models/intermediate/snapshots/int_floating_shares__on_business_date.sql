-- The free float of every stock as known at the end of the session's business date: input of snap_floating_shares
with

floats as (
    select * from {{ ref('int_floating_shares__known') }}
    where {{ known_on_business_date() }}
),

final as (
    select
        stock_code,
        base_date,
        total_shares,
        floating_shares,
        floating_ratio,
        known_basis
    from floats
)

select * from final
