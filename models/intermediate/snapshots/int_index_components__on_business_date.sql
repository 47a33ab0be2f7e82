-- The members of every index as known at the end of the session's business date: input of snap_index_components
with

components as (
    select * from {{ ref('int_index_components__known') }}
    where {{ known_on_business_date() }}
),

final as (
    select
        index_name,
        stock_code,
        effective_date,
        known_basis
    from components
)

select * from final
