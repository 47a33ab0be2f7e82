-- Does a vendor's 기관계 hold the government? By name alone it is open; here its own figures of the last weeks answer.
with

flows as not materialized (
    select * from {{ ref('int_investor_trading__unioned') }}
),

investor_types as (
    select
        investor_code,
        parent_code
    from {{ ref('investor_types') }}
),

newest as (
    select max(trade_date) as newest_date from flows
),

stock_days as (
    select
        flows.source,
        flows.stock_code,
        flows.trade_date,
        max(flows.buy_volume) filter (where flows.investor_code = 'INSTITUTION_TOTAL') as total_bought,
        max(flows.sell_volume) filter (where flows.investor_code = 'INSTITUTION_TOTAL') as total_sold,
        sum(flows.buy_volume) filter (where investor_types.parent_code = 'INSTITUTION_TOTAL') as parts_bought,
        sum(flows.sell_volume) filter (where investor_types.parent_code = 'INSTITUTION_TOTAL') as parts_sold,
        sum(flows.buy_volume) filter (where flows.vendor_investor in ('정부', '7000')) as government_bought,
        sum(flows.sell_volume) filter (where flows.vendor_investor in ('정부', '7000')) as government_sold
    from flows
    left join investor_types
        on flows.investor_code = investor_types.investor_code
    -- both ends: of one alone the planner would expect a third of all flows, and read them all
    where
        flows.trade_date > (select newest.newest_date - 30 from newest)
        and flows.trade_date <= (select newest.newest_date from newest)
    group by flows.source, flows.stock_code, flows.trade_date
),

placed as (
    select
        *,
        case
            when total_bought is null or government_bought is null then 'NOT_TOLD'
            when (total_bought, total_sold) = (parts_bought, parts_sold)
                then
                    case
                        when government_bought = 0 and government_sold = 0 then 'NO_GOVERNMENT_TRADES'
                        else 'WITH_GOVERNMENT'
                    end
            when (total_bought, total_sold) = (parts_bought - government_bought, parts_sold - government_sold)
                then 'WITHOUT_GOVERNMENT'
            else 'NEITHER'
        end as placement
    from stock_days
),

final as (
    select
        source,
        count(*) as stock_day_count,
        count(*) filter (where placement = 'WITH_GOVERNMENT') as with_government_count,
        count(*) filter (where placement = 'WITHOUT_GOVERNMENT') as without_government_count,
        count(*) filter (where placement = 'NO_GOVERNMENT_TRADES') as no_government_trades_count,
        count(*) filter (where placement = 'NEITHER') as neither_count,
        count(*) filter (where placement = 'NOT_TOLD') as not_told_count,
        case
            when bool_or(placement = 'WITH_GOVERNMENT') and bool_or(placement = 'WITHOUT_GOVERNMENT') then 'MIXED'
            when bool_or(placement = 'WITH_GOVERNMENT') then 'WITH_GOVERNMENT'
            when bool_or(placement = 'WITHOUT_GOVERNMENT') then 'WITHOUT_GOVERNMENT'
            else 'NOT_TOLD'
        end as institution_total,
        min(trade_date) as first_date,
        max(trade_date) as last_date
    from placed
    group by source
)

select * from final
