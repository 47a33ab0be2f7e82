{#
    CTE `plain_bars`: the bars of some rows of int_minute_bars__plain_stock_days, as int_minute_bars__doubtful gives others. By
    calls in the list of columns, which take a third of the time of one call beside the table. Choose the rows before: the
    planner cannot know how many bars a condition on bars leaves.
    Example: with stock_days as (…), {{ plain_minute_bars('stock_days') }} … select * from plain_bars
#}
{% macro plain_minute_bars(stock_days) -%}
bars_in_arrays as (
    select
        source,
        stock_code,
        trade_date,
        venue,
        day_begins_at,
        has_no_totals,
        fetch_ids,
        fetched_at,
        unnest(minutes) as minute,
        unnest(session_numbers) as session_number,
        unnest(open_prices) as open_price,
        unnest(high_prices) as high_price,
        unnest(low_prices) as low_price,
        unnest(close_prices) as close_price,
        unnest(volumes) as volume,
        unnest(trading_values) as trading_value,
        unnest(answer_numbers) as answer_number,
        unnest(row_numbers) as row_number
    from {{ stock_days }}
),

timed_bars as (
    select
        *,
        -- only in rows of an older version, which count the minutes of these bars from 1970 on
        session_number = 0 as is_of_other_day,
        -- in the order of int_minute_bars__plain_stock_days
        (array['PRE_MARKET', 'REGULAR', 'AFTER_MARKET'])[session_number] as session,
        case
            when session_number = 0 then (timestamp '1970-01-01' + make_interval(mins => minute)) at time zone 'Asia/Seoul'
            else day_begins_at + make_interval(mins => minute)
        end as started_at
    from bars_in_arrays
),

plain_bars as (
    select
        source,
        stock_code,
        trade_date,
        -- as the source writes it: a plain label has no seconds
        to_char(
            started_at at time zone 'Asia/Seoul',
            case source when 'kiwoom' then 'YYYYMMDDHH24MISS' else 'HH24MISS' end
        ) as minute_label,
        started_at,
        venue,
        session,
        open_price,
        high_price,
        low_price,
        close_price,
        volume,
        trading_value,
        case when is_of_other_day then 'OTHER_DAY' when volume = 0 then 'NO_TRADES' else '' end as broken_rules,
        '' as reviewed_rules,
        case
            when trading_value is null and not has_no_totals and not is_of_other_day and volume > 0 then 'VALUE_NOT_TOLD'
            else ''
        end as warned_rules,
        fetch_ids[answer_number] as fetch_id,
        row_number,
        fetched_at[answer_number] as first_fetched_at,
        fetched_at[answer_number] as fetched_at,
        false as is_provisional
    from timed_bars
),
{%- endmacro %}

{#  Codes that a stock can have: a digit, and five digits or letters  #}
{% macro minute_code_pattern() -%}
    ^[0-9][0-9A-Z]{5}$
{%- endmacro %}

{#  Whole minutes of the day before a time of day: 540 at 09:00, 541 from a second later on  #}
{% macro minutes_up_to(time_of_day) -%}
    ceil(extract(epoch from ({{ time_of_day }})::time) / 60)::integer
{%- endmacro %}

{#  Minutes after the close at which its auction may still trade: a VI in it prolongs it by two, and up to 30 s more  #}
{% macro longest_closing_auction() -%}
    3
{%- endmacro %}
