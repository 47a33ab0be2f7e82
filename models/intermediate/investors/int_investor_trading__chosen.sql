-- One source speaks for a stock and day: leaves of two vendors would not add up.
with

flows as (
    select * from {{ ref('int_investor_trading__unioned') }}
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_investor_trading__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'investor_trading'
),

investor_types as (
    select
        investor_code,
        published_type
    from {{ ref('investor_types') }}
    where level = 'LEAF'
),

ranked as (
    select
        flows.*,
        investor_types.published_type,
        dense_rank() over (
            partition by flows.trade_date, flows.stock_code
            order by source_priorities.priority, flows.source
        ) as choice
    from flows
    inner join investor_types on flows.investor_code = investor_types.investor_code
    left join source_priorities on flows.source = source_priorities.source
    where
        not flows.is_held_back
        and (flows.source, flows.trade_date) not in (select held.source, held.trade_date from held)
),

final as (
    select
        trade_date,
        stock_code,
        investor_code,
        published_type,
        source,
        sum(buy_volume) as buy_volume,
        sum(sell_volume) as sell_volume,
        sum(buy_value) as buy_value,
        sum(sell_value) as sell_value,
        min(first_fetched_at) as first_carried_at
    from ranked
    where choice = 1
    group by trade_date, stock_code, investor_code, published_type, source
)

select * from final
