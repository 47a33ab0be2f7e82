-- One source speaks for a fund and day: lines of two would not add up. Lines of the same component are added:
-- a fund may keep several deposits, or a share in two pockets.
with

lines as (
    select * from {{ ref('int_etf_portfolios__unioned') }}
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_etf_portfolios__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'etf_portfolios'
),

ranked as (
    select
        lines.*,
        dense_rank() over (
            partition by lines.trade_date, lines.stock_code
            order by source_priorities.priority, lines.source
        ) as choice
    from lines
    left join source_priorities on lines.source = source_priorities.source
    where
        not lines.is_held_back
        and (lines.source, lines.trade_date) not in (select held.source, held.trade_date from held)
),

final as (
    select
        trade_date,
        stock_code as etf_code,
        component_code,
        source,
        (array_agg(component_isin order by row_number))[1] as component_isin,
        (array_agg(component_name order by row_number))[1] as component_name,
        (array_agg(component_type order by row_number))[1] as component_type,
        sum(shares) as shares,
        sum(valuation_krw) as valuation_krw,
        sum(weight) as weight,
        count(*) as line_count,
        min(first_fetched_at) as first_carried_at
    from ranked
    where choice = 1
    group by trade_date, stock_code, component_code, source
)

select * from final
