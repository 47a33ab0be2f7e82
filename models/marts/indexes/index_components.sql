{{ config(indexes=[{'columns': ['stock_code']}, {'columns': ['index_name', 'effective_date', 'end_date']}]) }}

with

states as (
    select * from {{ ref('int_index_components__stated') }}
    where is_decisive
),

compared as (
    select
        *,
        lag(is_member) over own_states as was_member
    from states
    window own_states as (partition by index_name, stock_code order by trade_date)
),

-- a word that repeats the one before adds nothing; who was never in cannot leave
changed as (
    select
        *,
        lead(trade_date) over (partition by index_name, stock_code order by trade_date) as next_date
    from compared
    where is_member is distinct from coalesce(was_member, false)
),

final as (
    select
        {{ surrogate_id(['index_name', 'stock_code', 'trade_date']) }} as id,
        index_name::varchar(50) as index_name,
        stock_code::varchar(10) as stock_code,
        trade_date as effective_date,
        next_date as end_date,
        case
            when (log_first_fetched_at at time zone 'Asia/Seoul')::date < trade_date
                then (log_first_fetched_at at time zone 'Asia/Seoul')::date
        end as announced_date,
        source::varchar(20) as source,
        fact_first_fetched_at as created_at
    from changed
    where is_member
)

select * from final
