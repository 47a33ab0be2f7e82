-- Answers to the minutes of a stock and day, superseded ones too, and looks at a session that goes on.
with

successful_cells as (
    select * from {{ ref('int_collection__successful_cells') }}
    where dataset = 'ohlcv_minute'
),

provisional_cells as (
    select * from {{ ref('int_collection__provisional_cells') }}
    where dataset = 'ohlcv_minute'
),

final as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        attempt_id,
        is_current,
        false as is_provisional,
        null::timestamptz as told_until
    from successful_cells
    union all
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        attempt_id,
        is_current,
        true as is_provisional,
        told_until
    from provisional_cells
)

select * from final
