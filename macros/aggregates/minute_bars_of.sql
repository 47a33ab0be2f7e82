{#
    Bars of several minutes, by their start in KST; minutes without trades are absent, and so are bars of such minutes alone. A bar
    never mixes sessions: the closing auction at 15:30 and the market after it are two. While a session goes on its bars are
    provisional, as its minutes are.

    Session by session and not over the whole table: a condition on trade_date becomes one on the time of the minutes, and
    finds them by index or partition. One on `time`, which is computed, could not.
    Example: minute_bars_of(5)
#}
{% macro minute_bars_of(minutes) -%}
    with

    sessions as (
        select date from {{ ref('trading_calendar') }}
        where is_session
    ),

    minute_bars as (
        select * from {{ ref('ohlcv_minute') }}
    ),

    final as (
        select
            grouped.time,
            sessions.date as trade_date,
            grouped.stock_code,
            grouped.open_price,
            grouped.high_price,
            grouped.low_price,
            grouped.close_price,
            grouped.volume,
            grouped.trading_value,
            grouped.minute_count,
            grouped.session,
            grouped.venue,
            grouped.source,
            grouped.is_provisional,
            grouped.created_at
        from sessions
        cross join lateral (
            select
                date_bin('{{ minutes }} minutes', minute_bars.time, timestamptz '2000-01-01 00:00+09') as time,
                minute_bars.stock_code,
                (array_agg(minute_bars.open_price order by minute_bars.time))[1] as open_price,
                max(minute_bars.high_price) as high_price,
                min(minute_bars.low_price) as low_price,
                (array_agg(minute_bars.close_price order by minute_bars.time desc))[1] as close_price,
                sum(minute_bars.volume)::bigint as volume,
                -- one unknown part leaves the whole unknown, and not smaller
                case
                    when count(minute_bars.trading_value) = count(*) then sum(minute_bars.trading_value)
                end::bigint as trading_value,
                count(*)::integer as minute_count,
                minute_bars.session,
                minute_bars.venue,
                minute_bars.source,
                bool_or(minute_bars.is_provisional) as is_provisional,
                min(minute_bars.created_at) as created_at
            from minute_bars
            where
                minute_bars.time >= sessions.date::timestamp at time zone 'Asia/Seoul'
                and minute_bars.time < (sessions.date + 1)::timestamp at time zone 'Asia/Seoul'
            group by
                date_bin('{{ minutes }} minutes', minute_bars.time, timestamptz '2000-01-01 00:00+09'),
                minute_bars.stock_code,
                minute_bars.session,
                minute_bars.venue,
                minute_bars.source
        ) as grouped
    )

    select * from final
{%- endmacro %}
