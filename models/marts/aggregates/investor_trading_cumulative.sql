{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'time',
        'datasets': ['investor_trading', 'ohlcv_daily'],
        'reaches_sessions': 59,
        'reaches_year_end': true,
    },
    indexes=[{'columns': ['time', 'investor_type']}],
) }}

with

flows as (
    select
        time,
        stock_code,
        investor_type,
        net_buy_volume,
        net_buy_value,
        created_at
    from {{ ref('investor_trading') }}
    where true
    {{ and_in_sessions_that_reach_days_to_rebuild('time') }}
),

months as (
    select
        month,
        stock_code,
        investor_type,
        net_buy_volume_monthly,
        net_buy_value_monthly,
        session_count
    from {{ ref('investor_trading_monthly') }}
    where true
    {{ and_in_years_to_rebuild('month') }}
),

calendar as (
    select
        date,
        session_number
    from {{ ref('trading_calendar') }}
    where is_session
),

-- a year is read as its months and the days of the last one: a day in December does not cost 240 sessions
months_before as (
    select
        month,
        stock_code,
        investor_type,
        sum(net_buy_volume_monthly) over earlier_in_year as net_buy_volume,
        sum(net_buy_value_monthly) over earlier_in_year as net_buy_value,
        sum(session_count) over earlier_in_year as session_count
    from months
    window earlier_in_year as (
        partition by stock_code, investor_type, extract(year from month)
        order by month
        rows between unbounded preceding and 1 preceding
    )
),

numbered as (
    select
        flows.*,
        date_trunc('month', flows.time::timestamp)::date as month,
        calendar.session_number
    from flows
    inner join calendar on flows.time = calendar.date
),

-- windows go by the number of the session and not by rows: a session without a row is one on which nothing was bought
{% set windows = {'5_sessions': 4, '20_sessions': 19, '60_sessions': 59} %}
summed as (
    select
        time,
        month,
        stock_code,
        investor_type,
        sum(net_buy_volume) over month_to_date as net_buy_volume_month,
        sum(net_buy_value) over month_to_date as net_buy_value_month,
        count(*) over month_to_date as session_count_month,
        {% for name in windows %}
        sum(net_buy_volume) over last_{{ name }} as net_buy_volume_{{ name }},
        sum(net_buy_value) over last_{{ name }} as net_buy_value_{{ name }},
        count(*) over last_{{ name }} as session_count_{{ name }},
        {% endfor %}
        created_at
    from numbered
    window
        {% for name, preceding in windows.items() %}
        last_{{ name }} as (
            partition by stock_code, investor_type
            order by session_number
            range between {{ preceding }} preceding and current row
        ),
        {% endfor %}
        month_to_date as (partition by stock_code, investor_type, month order by session_number)
),

final as (
    select
        summed.time,
        summed.stock_code,
        summed.investor_type,
        (summed.net_buy_volume_month + coalesce(months_before.net_buy_volume, 0))::bigint
            as net_buy_volume_year_to_date,
        (summed.net_buy_value_month + coalesce(months_before.net_buy_value, 0))::bigint
            as net_buy_value_year_to_date,
        {% for name in windows %}
        summed.net_buy_volume_{{ name }}::bigint as net_buy_volume_{{ name }},
        summed.net_buy_value_{{ name }}::bigint as net_buy_value_{{ name }},
        {% endfor %}
        (summed.session_count_month + coalesce(months_before.session_count, 0))::smallint
            as session_count_year_to_date,
        {% for name in windows %}
        summed.session_count_{{ name }}::smallint as session_count_{{ name }},
        {% endfor %}
        summed.created_at
    from summed
    left join months_before
        on
            summed.month = months_before.month
            and summed.stock_code = months_before.stock_code
            and summed.investor_type = months_before.investor_type
    where
        true
        {{ and_in_days_to_rebuild('summed.time') }}
)

select * from final
