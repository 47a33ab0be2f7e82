-- What the minutes of a stock and day come to: read by the gates, the choice of a source and the checks of days, which
-- need no bar then.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_minute'],
        'analyzed_by_day': ['trade_date', 'source', 'stock_code', 'venue', 'is_provisional'],
    },
    indexes=[{'columns': ['trade_date']}],
) }}

with

plain as (
    select
        trade_date,
        source,
        stock_code,
        venue,
        bar_count,
        sound_bar_count,
        0 as bars_with_null,
        broken_rules,
        volume,
        sound_volume,
        closes,
        trading_value,
        value_by_closes,
        open_price,
        high_price,
        low_price,
        close_price,
        regular_volume,
        first_regular_at,
        last_regular_at,
        false as is_provisional,
        fetch_ids[cardinality(fetch_ids)] as fetch_id,
        (select max(answers.fetched_at) from unnest(plain_stock_days.fetched_at) as answers (fetched_at)) as fetched_at
    from {{ ref('int_minute_bars__plain_stock_days') }} as plain_stock_days
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

bars as (
    select
        *,
        broken_rules = '' as is_sound,
        'OTHER_DAY' <> all(string_to_array(broken_rules, ',')) as is_of_the_day,
        broken_rules = '' and session = 'REGULAR' as is_regular
    from {{ ref('int_minute_bars__doubtful') }}
    where
        not is_of_plain_day
        {{ and_in_days_to_rebuild('trade_date') }}
),

doubtful as (
    select
        trade_date,
        source,
        stock_code,
        venue,
        -- one walk serves several days: what is told of others beside it says nothing of this one
        count(*) filter (where is_of_the_day) as bar_count,
        count(*) filter (where is_sound) as sound_bar_count,
        count(*) filter (where is_of_the_day and num_nulls(close_price, volume) > 0) as bars_with_null,
        -- a rule that a bar breaks by itself says more than one that holds it with others, or than a bar of another day
        coalesce(
            min(broken_rules) filter (where not is_sound and is_of_the_day and broken_rules not like 'HELD_WITH%'),
            min(broken_rules) filter (where not is_sound and is_of_the_day),
            min(broken_rules) filter (where not is_sound),
            ''
        ) as broken_rules,
        sum(volume) filter (where is_of_the_day) as volume,
        sum(volume) filter (where is_sound) as sound_volume,
        sum(close_price) filter (where is_of_the_day) as closes,
        sum(trading_value) filter (where is_of_the_day) as trading_value,
        sum(volume * close_price) filter (where is_of_the_day and trading_value is not null) as value_by_closes,
        (array_agg(open_price order by started_at) filter (where is_regular))[1] as open_price,
        max(high_price) filter (where is_regular) as high_price,
        min(low_price) filter (where is_regular) as low_price,
        (array_agg(close_price order by started_at desc) filter (where is_regular))[1] as close_price,
        sum(volume) filter (where is_regular) as regular_volume,
        min(started_at) filter (where is_regular) as first_regular_at,
        max(started_at) filter (where is_regular) as last_regular_at,
        coalesce(bool_or(is_provisional) filter (where is_sound), false) as is_provisional,
        max(fetch_id) as fetch_id,
        max(fetched_at) as fetched_at
    from bars
    group by trade_date, source, stock_code, venue
),

final as (
    select * from plain
    union all
    select * from doubtful
)

select * from final
