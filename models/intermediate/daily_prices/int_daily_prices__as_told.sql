-- What a source told of a stock and session, as its answers stood when the next session opened: what it corrected or
-- added after that was not known then, what it corrected in the same night was. The first answer to what was asked
-- speaks for its day however late it was collected.
{% set columns = [
    'source', 'stock_code', 'trade_date', 'collection_date', 'stock_name', 'vendor_market', 'close_price', 'base_price',
    'volume', 'listed_shares', 'is_suspended', 'broken_rules', 'fetch_id', 'row_number',
] %}

with

-- not materialized, as the next one: what is kept for a second look is read by one processor
openings as not materialized (
    select
        sessions.date,
        next_sessions.opens_at
    from {{ ref('trading_calendar') }} as sessions
    left join {{ ref('trading_calendar') }} as next_sessions on sessions.next_session = next_sessions.date
),

corrected_later as not materialized (
    select
        {% for column in columns %}
        superseded.{{ column }},
        {% endfor %}
        openings.opens_at as known_before
    from {{ ref('int_daily_prices__superseded') }} as superseded
    inner join openings on superseded.trade_date = openings.date
    where
        superseded.stock_code is not null
        and superseded.replaced_at >= openings.opens_at
        and (
            (superseded.answer_number = 1 and superseded.is_told_at_first is not false)
            or superseded.fetched_at < openings.opens_at
        )
),

final as (
    select
        {% for column in columns %}
        told.{{ column }},
        {% endfor %}
        openings.opens_at as known_before,
        true as is_current
    from {{ ref('int_daily_prices__unioned') }} as told
    inner join openings on told.trade_date = openings.date
    where
        told.stock_code is not null
        -- null in rows that were built before it was told
        and (told.is_told_at_first is not false or told.first_fetched_at < openings.opens_at)
        -- hashed; the planner would take a join for one that leaves no row
        and (told.source, told.stock_code, told.trade_date) not in (
            select
                corrected_later.source,
                corrected_later.stock_code,
                corrected_later.trade_date
            from corrected_later
        )
    union all
    select
        *,
        false as is_current
    from corrected_later
)

select * from final
