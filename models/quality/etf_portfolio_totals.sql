-- What the parts of each portfolio add up to, and whether the source gives all of them.
with

lines as (
    select * from {{ ref('int_etf_portfolios__unioned') }}
    where not is_held_back
),

summed as (
    select
        source,
        stock_code as etf_code,
        trade_date as base_date,
        count(*) as line_count,
        max(stated_components) as stated_components,
        max(total_valuation_krw) as total_valuation_krw,
        sum(weight) as weight_sum,
        count(*) filter (where weight is null and counts_in_weight) as unweighted_line_count,
        count(*) filter (where component_type in ('FUTURE', 'OPTION')) as derivative_line_count
    from lines
    group by source, stock_code, trade_date
),

final as (
    select
        *,
        -- the amount of a future is what it stands for and not what it costs: with one, parts need not make the whole
        unweighted_line_count = 0
        and derivative_line_count = 0
        and line_count >= coalesce(stated_components, 0) as gives_all
    from summed
)

select * from final
