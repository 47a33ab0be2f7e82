-- Listed names that a source's answer for a day lacks, where it has most of their market: a row lost on the way would
-- else leave no trace. A name that was asked for alone says nothing about the others.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['ohlcv_daily']},
    indexes=[{'columns': ['trade_date']}],
) }}

with

daily_prices as (
    select
        source,
        collection_date as trade_date,
        stock_code,
        fetched_at
    from {{ ref('int_daily_prices__unioned') }}
    where true
    {{ and_in_days_to_rebuild('collection_date') }}
),

stocks as (
    select
        stock_code,
        market,
        security_type,
        listing_date,
        delisting_date
    from {{ ref('stocks') }}
),

days as (
    select
        source,
        trade_date,
        max(fetched_at) as fetched_at
    from daily_prices
    group by source, trade_date
),

expected as (
    select
        days.source,
        days.trade_date,
        days.fetched_at,
        stocks.stock_code,
        stocks.market,
        stocks.security_type in ('ETF', 'ETN') as is_fund
    from days
    inner join stocks
        on
            days.trade_date >= stocks.listing_date
            and (days.trade_date < stocks.delisting_date or stocks.delisting_date is null)
),

compared as (
    select
        expected.*,
        daily_prices.stock_code is not null as is_there,
        avg((daily_prices.stock_code is not null)::integer) over (
            partition by expected.source, expected.trade_date, expected.market, expected.is_fund
        ) as part_there
    from expected
    left join daily_prices
        on
            expected.source = daily_prices.source
            and expected.trade_date = daily_prices.trade_date
            and expected.stock_code = daily_prices.stock_code
),

final as (
    select
        source,
        stock_code,
        trade_date,
        fetched_at
    from compared
    where not is_there and part_there > 0.5
)

select * from final
