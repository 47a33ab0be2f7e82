-- Listed names that a source's answer for a day lacks, where it has most of their market: a row lost on the way would
-- else leave no trace. A name that was asked for alone says nothing about the others.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_daily', 'foreign_ownership_daily'],
        'looks_again': 'days_of_names_not_listed',
    },
    indexes=[{'columns': ['trade_date']}],
) }}

-- One line a dataset: where its rows are checked, and the day of a row.
{% set checked = {
    'daily_prices': ['int_daily_prices__unioned', 'collection_date'],
    'foreign_ownership_daily': ['int_foreign_ownership__unioned', 'trade_date'],
} %}

with

rows_of_sources as (
    {% for dataset, (relation, day) in checked.items() %}
    select
        '{{ dataset }}' as dataset,
        source,
        {{ day }} as trade_date,
        stock_code,
        fetched_at
    from {{ ref(relation) }}
    where true
    {{ and_in_days_to_rebuild(day) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
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
        dataset,
        source,
        trade_date,
        max(fetched_at) as fetched_at
    from rows_of_sources
    group by dataset, source, trade_date
),

expected as (
    select
        days.dataset,
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
        rows_of_sources.stock_code is not null as is_there,
        avg((rows_of_sources.stock_code is not null)::integer) over (
            partition by expected.dataset, expected.source, expected.trade_date, expected.market, expected.is_fund
        ) as part_there
    from expected
    left join rows_of_sources
        on
            expected.dataset = rows_of_sources.dataset
            and expected.source = rows_of_sources.source
            and expected.trade_date = rows_of_sources.trade_date
            and expected.stock_code = rows_of_sources.stock_code
),

final as (
    select
        dataset,
        source,
        stock_code,
        trade_date,
        fetched_at
    from compared
    where not is_there and part_there > 0.5
)

select * from final
