-- What was believed to be the present free float of a stock, one row per stock and span of knowledge time.
with

floats as (
    select distinct on (stock_code, first_carried_at) *
    from {{ ref('int_floating_shares__chosen') }}
    order by stock_code asc, first_carried_at asc, trade_date desc
),

final as (
    select
        stock_code,
        trade_date as base_date,
        total_shares,
        floating_shares,
        floating_ratio,
        first_carried_at as known_from,
        lead(first_carried_at) over (partition by stock_code order by first_carried_at) as known_to,
        'OBSERVED' as known_basis
    from floats
)

select * from final
