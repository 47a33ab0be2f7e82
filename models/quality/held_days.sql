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
            '%s of %s from %s is held back: %s is %s, limits %s to %s (%s). Load the day again; if the answer is wrong,'
            ' retract it; if the day is right, record it in seeds/quality/reviewed_exceptions.csv',
            dataset, trade_date, source, gate, round(measured_value, 4), coalesce(lowest::text, '-'),
            coalesce(highest::text, '-'), description_en
        ) as what_to_do,
        fetched_at
    from gates
)

select * from final
