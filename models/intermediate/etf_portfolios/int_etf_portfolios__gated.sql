-- Whether a source's day may be published: one row per source, day and gate that can be judged.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['etf_portfolios'], 'gates': 'etf_portfolios'},
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

with

{{ what_was_asked('etf_portfolios') }},

lines as (
    select
        portfolio_lines.*,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional
    from {{ ref('int_etf_portfolios__unioned') }} as portfolio_lines
    left join calendar on portfolio_lines.trade_date = calendar.date
    left join answers_confirmed
        on
            portfolio_lines.fetch_id = answers_confirmed.fetch_id
            and portfolio_lines.trade_date = answers_confirmed.collection_date
    where true {{ and_in_days_to_rebuild('portfolio_lines.trade_date') }}
),

funds as (
    select
        source,
        stock_code,
        trade_date,
        count(*) as line_count,
        count(*) filter (where num_nulls(shares, valuation_krw, weight) = 3) as lines_with_null,
        sum(weight) filter (where counts_in_weight) as weight,
        bool_or(is_provisional) as is_provisional,
        max(fetched_at) as fetched_at
    from lines
    group by source, stock_code, trade_date
),

told_days as (
    select
        source,
        trade_date,
        count(*) as item_count,
        null::bigint as expected_count,
        max(fetched_at) as fetched_at,
        case when sum(line_count) >= 20 then sum(lines_with_null) / sum(line_count) end as null_share,
        {{ median_of('weight', 2) }} as weight_unit,
        {{ 'null' if clock_stands_still() else 'avg(is_provisional::integer)' }} as provisional
    from funds
    group by source, trade_date
),

measured as (
    select
        told_days.*,
        (calendar.is_session is not true)::integer as calendar
    from told_days
    left join calendar on told_days.trade_date = calendar.date
),

{{ gate_verdicts('etf_portfolios', ['null_share', 'weight_unit', 'calendar', 'provisional']) }}

select * from final
