-- A view: the filter on trade_date of its readers reaches the index, because trade_date is in the partition.
with

levels as (
    select * from {{ ref('int_index_levels__unioned') }}
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_index_levels__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'index_daily'
),

ranked as (
    select
        levels.*,
        min(levels.first_fetched_at) over (
            partition by levels.trade_date, levels.index_name
        ) as first_carried_at,
        row_number() over (
            partition by levels.trade_date, levels.index_name
            order by source_priorities.priority, levels.source
        ) as choice
    from levels
    left join source_priorities on levels.source = source_priorities.source
    where
        levels.broken_rules = ''
        and (levels.source, levels.trade_date) not in (select held.source, held.trade_date from held)
),

final as (
    select
        index_name,
        trade_date,
        open,
        high,
        low,
        close,
        volume,
        trading_value,
        market_cap,
        source,
        fetch_id,
        row_number,
        first_carried_at
    from ranked
    where choice = 1
)

select * from final
