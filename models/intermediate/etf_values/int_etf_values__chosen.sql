-- A view: the filter on trade_date of its readers reaches the index, because trade_date is in the partition.
with

fund_values as (
    select * from {{ ref('int_etf_values__unioned') }}
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_etf_values__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'etf_daily'
),

ranked as (
    select
        fund_values.*,
        min(fund_values.first_fetched_at) over (
            partition by fund_values.trade_date, fund_values.stock_code
        ) as first_carried_at,
        row_number() over (
            partition by fund_values.trade_date, fund_values.stock_code
            order by source_priorities.priority, fund_values.source
        ) as choice
    from fund_values
    left join source_priorities on fund_values.source = source_priorities.source
    where
        fund_values.broken_rules = ''
        and (fund_values.source, fund_values.trade_date) not in (select held.source, held.trade_date from held)
),

final as (
    select
        stock_code,
        trade_date,
        net_asset_value,
        net_assets,
        close_price,
        underlying_index,
        underlying_level,
        source,
        fetch_id,
        row_number,
        first_carried_at
    from ranked
    where choice = 1
)

select * from final
