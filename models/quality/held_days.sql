-- What the gates hold back, and what to do. Nothing is built on this view: its test fails after everything that passed
-- is published.
with

gates as (
    select * from {{ ref('gates') }}
    where verdict = 'HELD'
),

final as (
    select
        dataset,
        trade_date,
        source,
        gate,
        measured_value,
        lowest,
        highest,
        -- false: another source fills the day
        is_day_held,
        description_ko as reason_ko,
        description_en as reason_en,
        format(
            '%1$s of %2$s from %3$s is held back: %4$s is %5$s, limits %6$s to %7$s (%8$s). Load the day again'
            ' (make load SOURCE=%3$s DATASET=%9$s FROM=%2$s TO=%2$s REFRESH=1); if the answer is wrong, retract it;'
            ' if the day is right, record it in seeds/quality/reviewed_exceptions.csv; then dbt build',
            dataset, trade_date, source, gate, round(measured_value, 4), coalesce(lowest::text, '-'),
            coalesce(highest::text, '-'), description_en,
            -- bars of funds are judged by themselves, and asked for with those of the stocks
            case dataset when 'etf_prices' then 'ohlcv_daily SCOPE=ETF' else dataset end
        ) as what_to_do,
        fetched_at
    from gates
)

select * from final
