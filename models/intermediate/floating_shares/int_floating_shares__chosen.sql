-- The best source with a good row speaks for a stock and base date; of two looks at the same page the later one.
with

floats as (
    select * from {{ ref('int_floating_shares__unioned') }}
    where broken_rules = ''
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_floating_shares__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'floating_shares'
),

ranked as (
    select
        floats.*,
        min(floats.first_fetched_at) over (
            partition by floats.stock_code, floats.trade_date
        ) as first_carried_at,
        row_number() over (
            partition by floats.stock_code, floats.trade_date
            order by source_priorities.priority, floats.source, floats.collection_date desc
        ) as choice
    from floats
    left join source_priorities on floats.source = source_priorities.source
    where (floats.source, floats.collection_date) not in (select held.source, held.trade_date from held)
),

final as (
    select
        stock_code,
        trade_date,
        source,
        total_shares,
        floating_shares,
        floating_ratio,
        fetch_id,
        row_number,
        first_carried_at
    from ranked
    where choice = 1
)

select * from final
