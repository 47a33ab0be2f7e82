{#
    Weeks and months of daily facts: the two differ in nothing but their first day. `period` is week or month, and names the
    column of the first day too.
#}

{#  First day of the period of a day, as SQL: Monday, or the first of the month. Days are KST already, no time zone is asked  #}
{% macro period_of(period, column) -%}
    date_trunc('{{ period }}', {{ column }}::timestamp)::date
{%- endmacro %}

{#
    CTE complete_periods: whether every session that the calendar has in a period was collected, by any name. Decided by rows of
    the period and by the calendar, whose later changes make the period again: it comes out the same whenever it is built. `facts` is the relation of daily facts.
#}
{% macro complete_periods(period, facts) -%}
    collected_sessions as (
        select distinct time from {{ facts }}
        where true
        {{ and_in_periods_to_rebuild('time') }}
    ),

    calendar_sessions as (
        select date from {{ ref('trading_calendar') }}
        where is_session
    ),

    complete_periods as (
        select
            {{ period_of(period, 'calendar_sessions.date') }} as {{ period }},
            count(*) = count(collected_sessions.time) as is_complete
        from calendar_sessions
        left join collected_sessions on calendar_sessions.date = collected_sessions.time
        group by 1
    )
{%- endmacro %}

{#  Flows of a period by investor type: investor_trading_weekly, investor_trading_monthly  #}
{% macro flows_by_period(period) -%}
    with

    flows as (
        select * from {{ ref('investor_trading') }}
        where true
        {{ and_in_periods_to_rebuild('time') }}
    ),

    {{ complete_periods(period, ref('investor_trading')) }},

    summed as (
        select
            {{ period_of(period, 'time') }} as {{ period }},
            stock_code,
            investor_type,
            sum(net_buy_volume) as net_buy_volume,
            sum(net_buy_value) as net_buy_value,
            count(*) as session_count,
            bool_and(has_pension) as has_pension,
            min(created_at) as created_at
        from flows
        group by 1, stock_code, investor_type
    ),

    final as (
        select
            summed.{{ period }},
            summed.stock_code,
            summed.investor_type,
            summed.net_buy_volume::bigint as net_buy_volume_{{ period }}ly,
            summed.net_buy_value::bigint as net_buy_value_{{ period }}ly,
            summed.session_count::integer as session_count,
            -- the rows of PENSION alone do not know of the sessions without it
            bool_and(summed.has_pension) over (partition by summed.{{ period }}, summed.stock_code) as has_pension,
            coalesce(complete_periods.is_complete, false) as is_complete,
            summed.created_at
        from summed
        left join complete_periods on summed.{{ period }} = complete_periods.{{ period }}
    )

    select * from final
{%- endmacro %}

{#
    Raw bars of a period. Open, high, low and close are those of the sessions with trades; a close that was only kept counts
    where there is no other. `close_session` is the session of the close, first_session and last_session bound the bars.
#}
{% macro bars_by_period(period) -%}
    with

    bars as (
        select * from {{ ref('ohlcv_daily') }}
        where true
        {{ and_in_periods_to_rebuild('time') }}
    ),

    {{ complete_periods(period, ref('ohlcv_daily')) }},

    grouped as (
        select
            {{ period_of(period, 'time') }} as {{ period }},
            stock_code,
            min(time) as first_session,
            max(time) as last_session,
            coalesce(max(time) filter (where open_price is not null), max(time)) as close_session,
            (array_agg(open_price order by time) filter (where open_price is not null))[1] as open_price,
            max(high_price) as high_price,
            min(low_price) as low_price,
            -- of the sessions with trades the last one, else the last one
            (array_agg(close_price order by (open_price is not null) desc, time desc))[1] as close_price,
            sum(volume) as volume,
            sum(trading_value) as trading_value,
            count(*) as session_count,
            count(open_price) as traded_session_count,
            min(created_at) as created_at
        from bars
        group by 1, stock_code
    ),

    final as (
        select
            grouped.{{ period }},
            grouped.stock_code,
            grouped.first_session,
            grouped.last_session,
            grouped.close_session,
            grouped.open_price,
            grouped.high_price,
            grouped.low_price,
            grouped.close_price,
            grouped.volume::bigint as volume,
            grouped.trading_value::bigint as trading_value,
            grouped.session_count::integer as session_count,
            grouped.traded_session_count::integer as traded_session_count,
            coalesce(complete_periods.is_complete, false) as is_complete,
            grouped.created_at
        from grouped
        left join complete_periods on grouped.{{ period }} = complete_periods.{{ period }}
    )

    select * from final
{%- endmacro %}

{#
    Raw and adjusted bars of a period. A new factor changes all the history of a stock: the adjusted columns are read day by day
    when they are asked for, so that one whose ex-date lies within a period is applied to the sessions before it alone.
#}
{% macro adjusted_bars_by_period(period, bars) -%}
    with

    bars as (
        select * from {{ bars }}
    ),

    adjusted_bars as (
        select * from {{ ref('ohlcv_daily_adjusted') }}
    ),

    final as (
        select
            bars.{{ period }},
            bars.stock_code,
            bars.open_price,
            bars.high_price,
            bars.low_price,
            bars.close_price,
            bars.volume,
            bars.trading_value,
            adjusted.open_price::numeric(18, 4) as adjusted_open_price,
            adjusted.high_price::numeric(18, 4) as adjusted_high_price,
            adjusted.low_price::numeric(18, 4) as adjusted_low_price,
            adjusted.close_price::numeric(18, 4) as adjusted_close_price,
            adjusted.volume::numeric(24, 4) as adjusted_volume,
            bars.session_count,
            bars.traded_session_count,
            bars.is_complete,
            bars.created_at
        from bars
        cross join lateral (
            -- a session whose factor nobody knows leaves no open, high, low or volume of the whole period
            select
                case
                    when bool_and(adjusted_bars.adjustment_factor is not null)
                        then
                            (
                                array_agg(adjusted_bars.open_price order by adjusted_bars.time)
                                filter (where adjusted_bars.open_price is not null)
                            )[1]
                end as open_price,
                case
                    when bool_and(adjusted_bars.adjustment_factor is not null) then max(adjusted_bars.high_price)
                end as high_price,
                case
                    when bool_and(adjusted_bars.adjustment_factor is not null) then min(adjusted_bars.low_price)
                end as low_price,
                max(adjusted_bars.close_price) filter (where adjusted_bars.time = bars.close_session) as close_price,
                case
                    when bool_and(adjusted_bars.adjustment_factor is not null) then sum(adjusted_bars.volume)
                end as volume
            from adjusted_bars
            where
                adjusted_bars.stock_code = bars.stock_code
                and adjusted_bars.time between bars.first_session and bars.last_session
        ) as adjusted
    )

    select * from final
{%- endmacro %}
