-- Who was believed to be a member at present, by the time at which it was believed: a change that is announced ahead
-- counts from its effective date on.
with

spans as (
    select * from {{ ref('int_index_components__spans') }}
),

present as (
    select
        *,
        greatest(entry_known_at, effective_date::timestamp at time zone 'Asia/Seoul') as known_from,
        case
            when end_date is not null
                then greatest(exit_known_at, end_date::timestamp at time zone 'Asia/Seoul')
        end as known_to
    from spans
),

final as (
    select
        index_name::varchar(50) as index_name,
        stock_code::varchar(10) as stock_code,
        effective_date,
        known_from,
        known_to,
        entry_known_basis::varchar(10) as known_basis,
        source::varchar(20) as source
    from present
    where known_to is null or known_to > known_from
)

select * from final
