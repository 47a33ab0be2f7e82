-- A view: the filter on trade_date of its readers reaches the index, because trade_date is in the partition.
with

ownership as (
    select * from {{ ref('int_foreign_ownership__unioned') }}
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_foreign_ownership__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'foreign_ownership_daily'
),

ranked as (
    select
        ownership.*,
        min(ownership.first_fetched_at) over (
            partition by ownership.trade_date, ownership.stock_code
        ) as first_carried_at,
        row_number() over (
            partition by ownership.trade_date, ownership.stock_code
            order by source_priorities.priority, ownership.source
        ) as choice
    from ownership
    left join source_priorities on ownership.source = source_priorities.source
    where
        ownership.broken_rules = ''
        and (ownership.source, ownership.trade_date) not in (select held.source, held.trade_date from held)
),

final as (
    select
        stock_code,
        trade_date,
        owned_shares,
        ownership_ratio,
        limit_ratio,
        listed_shares,
        source,
        fetch_id,
        row_number,
        first_carried_at
    from ranked
    where choice = 1
)

select * from final
