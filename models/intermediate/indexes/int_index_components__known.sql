-- What was believed to be a member of an index, one row per index, stock and span of knowledge time.
with

states as (
    select * from {{ ref('int_index_components__stated') }}
    where is_decisive
),

numbered as (
    select
        *,
        lead(fact_first_fetched_at) over (
            partition by index_name, stock_code order by trade_date
        ) as next_fetched_at
    from states
),

final as (
    select
        index_name,
        stock_code,
        trade_date as effective_date,
        fact_first_fetched_at as known_from,
        next_fetched_at as known_to,
        'OBSERVED' as known_basis
    from numbered
    where is_member and (next_fetched_at is null or next_fetched_at > fact_first_fetched_at)
)

select * from final
