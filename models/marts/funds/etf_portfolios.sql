{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'base_date',
        'datasets': ['etf_portfolios'],
        'held_by': 'etf_portfolios',
        'looks_again': 'days_of_funds_known_since',
    },
    indexes=[{'columns': ['base_date']}, {'columns': ['component_code', 'base_date']}],
) }}

with

portfolios as (
    select * from {{ ref('int_etf_portfolios__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

funds as (
    select stock_code from {{ ref('stocks') }}
    where security_type = 'ETF'
),

final as (
    select
        {{ surrogate_id(['portfolios.etf_code', 'portfolios.component_code', 'portfolios.trade_date']) }} as id,
        portfolios.etf_code::varchar(10) as etf_code,
        portfolios.component_code::varchar(40) as component_code,
        portfolios.trade_date as base_date,
        -- a pattern cannot tell a fund from a share: the stock master can
        case
            when portfolios.component_type = 'STOCK' and funds.stock_code is not null then 'ETF'
            else portfolios.component_type
        end::varchar(20) as component_type,
        portfolios.component_name::varchar(200) as component_name,
        portfolios.component_isin::varchar(12) as component_isin,
        portfolios.weight::numeric(7, 4) as weight,
        portfolios.shares::numeric(20, 2) as shares,
        portfolios.valuation_krw::numeric(20, 2) as valuation_krw,
        portfolios.source::varchar(20) as source,
        portfolios.first_carried_at as created_at
    from portfolios
    left join funds on portfolios.component_code = funds.stock_code
)

select * from final
