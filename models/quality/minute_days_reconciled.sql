-- Minutes against the day's own bar: what they should add up to, and where they do not.
with

minute_days as (
    select * from {{ ref('int_minute_bars__chosen_stock_days') }}
    -- a day that goes on adds up to nothing yet
    where venue = 'KRX' and not is_provisional
),

days as (
    select
        time,
        stock_code,
        open_price,
        high_price,
        low_price,
        close_price,
        volume
    from {{ ref('ohlcv_daily') }}
),

final as (
    select
        minute_days.trade_date,
        minute_days.stock_code,
        minute_days.source,
        minute_days.open_price as minute_open,
        days.open_price as daily_open,
        minute_days.high_price as minute_high,
        days.high_price as daily_high,
        minute_days.low_price as minute_low,
        days.low_price as daily_low,
        minute_days.close_price as minute_close,
        days.close_price as daily_close,
        minute_days.regular_volume as minute_volume,
        days.volume as daily_volume,
        -- a stock that was traded in the after-market alone has no regular minute to compare with its day
        minute_days.regular_volume is not null
        and array[minute_days.open_price, minute_days.high_price, minute_days.low_price, minute_days.close_price]
        <> array[days.open_price, days.high_price, days.low_price, days.close_price]::numeric[] as has_other_prices,
        -- a day's volume counts the after-market or does not, by vendor
        least(
            abs(case when minute_days.sound_volume > 0 then coalesce(minute_days.regular_volume, 0) end - days.volume),
            abs(minute_days.sound_volume - days.volume)
        )
        > 0.01 * days.volume as has_other_volume
    from minute_days
    inner join days on minute_days.trade_date = days.time and minute_days.stock_code = days.stock_code
)

select * from final
