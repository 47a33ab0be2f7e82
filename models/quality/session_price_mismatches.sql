-- Days on which trading_calendar and the market disagree, either way: sessions between priced days that a source of
-- whole markets was asked for and nobody has a price of, and closed days with prices. By probes into indexes, a day
-- each: the cost follows the calendar and not the rows.
with

calendar as (
    select
        date,
        is_session,
        reason
    from {{ ref('trading_calendar') }}
),

daily_prices as not materialized (
    select
        trade_date,
        source,
        broken_rules
    from {{ ref('int_daily_prices__unioned') }}
),

fetch_cells as not materialized (
    select
        source,
        collection_date,
        status,
        error
    from {{ ref('stg_ledger__fetch_cells') }}
    -- a single name may have no price on a session; a market always has
    where dataset = 'ohlcv_daily' and not is_retracted and scope !~ '^[0-9][0-9A-Z]{5}$'
),

priced_days as (
    select
        calendar.date,
        calendar.is_session,
        calendar.reason,
        priced.source
    from calendar
    left join lateral (
        select daily_prices.source
        from daily_prices
        where
            -- a range of one day, since its order needs the index: for an equality the planner reads the table to its
            -- end on every day without a price
            daily_prices.trade_date between calendar.date and calendar.date
            and daily_prices.broken_rules = ''
        order by daily_prices.trade_date
        limit 1
    ) as priced on true
),

neighboured as (
    select
        *,
        max(date) filter (where source is not null) over (
            order by date rows between unbounded preceding and 1 preceding
        ) as priced_before,
        min(date) filter (where source is not null) over (
            order by date desc rows between unbounded preceding and 1 preceding
        ) as priced_after
    from priced_days
),

-- the longest closure since 1995 took eleven days (Chuseok 2017): what lies further apart was not collected in between
sessions_without_prices as (
    select
        neighboured.date,
        neighboured.is_session,
        neighboured.reason,
        asked.source,
        'SESSION_WITHOUT_PRICES' as problem
    from neighboured
    inner join lateral (
        select string_agg(distinct fetch_cells.source, ', ') as source
        from fetch_cells
        where
            fetch_cells.collection_date = neighboured.date
            -- a failure says nothing about the day
            and fetch_cells.status in ('SUCCESS', 'UNCHANGED', 'EMPTY', 'NOT_PUBLISHED')
    ) as asked on asked.source is not null
    where
        neighboured.is_session
        and neighboured.source is null
        and neighboured.priced_after - neighboured.priced_before <= 15
),

-- loads ask for sessions alone: prices of a closed day come from before its closure was known, or from a file that
-- holds more than was asked for, which fails the cell
closed_days_with_prices as (
    select
        priced_days.date,
        priced_days.is_session,
        priced_days.reason,
        coalesce(priced_days.source, refused.source) as source,
        'PRICES_ON_CLOSED_DAY' as problem
    from priced_days
    left join lateral (
        select fetch_cells.source
        from fetch_cells
        where
            fetch_cells.collection_date = priced_days.date
            and fetch_cells.status = 'FAILED'
            and fetch_cells.error like '%which is no session%'
        order by fetch_cells.collection_date
        limit 1
    ) as refused on true
    where not priced_days.is_session and num_nonnulls(priced_days.source, refused.source) > 0
),

final as (
    select * from sessions_without_prices
    union all
    select * from closed_days_with_prices
)

select * from final
