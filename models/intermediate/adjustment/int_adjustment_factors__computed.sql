-- Bars whose base price is not the close of the calendar's session before, and what can be said of it.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_daily'],
        'with_next_sessions': 1,
        'looks_again': 'days_of_bars_known_since',
    },
    indexes=[{'columns': ['trade_date']}, {'columns': ['stock_code', 'trade_date'], 'unique': true}],
) }}

with

bars as (
    select * from {{ ref('ohlcv_daily') }}
    where true
    {{ and_in_days_to_rebuild('time') }}
),

previous_bars as (
    select * from {{ ref('ohlcv_daily') }}
    where true
    {{ and_in_sessions_before_days_to_rebuild('time') }}
),

all_bars as (
    select
        stock_code,
        time
    from {{ ref('ohlcv_daily') }}
),

listed_shares as (
    select
        stock_code,
        time,
        shares_outstanding
    from {{ ref('market_cap_daily') }}
    where true
    {{ and_in_days_to_rebuild('time') }}
),

previous_listed_shares as (
    select
        stock_code,
        time,
        shares_outstanding
    from {{ ref('market_cap_daily') }}
    where true
    {{ and_in_sessions_before_days_to_rebuild('time') }}
),

calendar as (
    select
        date,
        previous_session
    from {{ ref('trading_calendar') }}
),

stocks as (
    select
        stock_code,
        market,
        security_type in ('ETF', 'ETN') as is_fund,
        listing_date
    from {{ ref('stocks') }}
),

tick_sizes as (
    select * from {{ ref('tick_sizes') }}
),

-- A market's session counts as collected when any name of the market has a bar on it. Funds are asked for apart.
collected_sessions as (
    select distinct
        previous_bars.time,
        stocks.market,
        coalesce(stocks.is_fund, false) as is_fund
    from previous_bars
    left join stocks on previous_bars.stock_code = stocks.stock_code
),

compared as (
    select
        bars.stock_code,
        bars.time as trade_date,
        bars.open_price,
        bars.volume,
        bars.source,
        bars.created_at,
        nullif(bars.base_price, 0) as base_price,
        calendar.previous_session,
        previous_bars.close_price as previous_close,
        previous_bars.volume as previous_volume
    from bars
    inner join calendar on bars.time = calendar.date
    left join previous_bars
        on bars.stock_code = previous_bars.stock_code and calendar.previous_session = previous_bars.time
    -- of nearly all bars the two are one: the rest is little, whatever the history
    where nullif(bars.base_price, 0) is distinct from previous_bars.close_price or bars.base_price is null
),

described as (
    select
        compared.*,
        stocks.market,
        coalesce(stocks.is_fund, false) as is_fund,
        listed_shares.shares_outstanding as shares,
        previous_shares.shares_outstanding as previous_shares,
        coalesce(stocks.listing_date = compared.trade_date, false) as is_listing_day,
        coalesce(stocks.listing_date < compared.trade_date, false) as is_listed_before,
        collected_sessions.time is not null as is_previous_session_collected,
        compared.previous_volume = 0
        and compared.volume = 0
        and listed_shares.shares_outstanding = previous_shares.shares_outstanding as is_idle
    from compared
    left join stocks on compared.stock_code = stocks.stock_code
    left join collected_sessions
        on
            compared.previous_session = collected_sessions.time
            and stocks.market is not distinct from collected_sessions.market
            and coalesce(stocks.is_fund, false) = collected_sessions.is_fund
    left join listed_shares
        on compared.stock_code = listed_shares.stock_code and compared.trade_date = listed_shares.time
    left join previous_listed_shares as previous_shares
        on compared.stock_code = previous_shares.stock_code and compared.previous_session = previous_shares.time
),

-- The coarsest tick where the market is unknown. A name that does not trade keeps a price of an older table until the
-- exchange rounds it anew (141020 and 263540 on 2023-01-26), so that the older tables count for it too.
ticked as (
    select
        described.*,
        coalesce(ticks.tick, 0) as tick
    from described
    left join lateral (
        select max(tick_sizes.tick) as tick
        from tick_sizes
        where
            (
                tick_sizes.market = case when described.is_fund then 'ETF' else described.market end
                or described.market is null
            )
            and described.trade_date >= tick_sizes.valid_from
            and (described.trade_date < tick_sizes.valid_to or tick_sizes.valid_to is null or described.is_idle)
            and greatest(described.base_price, described.previous_close) >= tick_sizes.price_from
            and (
                greatest(described.base_price, described.previous_close) < tick_sizes.price_below
                or tick_sizes.price_below is null
            )
    ) as ticks on true
),

judged as (
    select
        ticked.*,
        case
            when previous_close is not null and base_price is null then 'NO_BASE_PRICE'
            when previous_close is not null and abs(base_price - previous_close) < tick then 'ROUNDING'
            when previous_close is not null then 'BASE_CHANGED'
            when is_listing_day then 'FIRST_SESSION'
            when not is_previous_session_collected then 'MISSING_SESSION'
            -- files may leave out what did not trade on KONEX: without a listing date nobody knows whether it is new
            when market = 'KONEX' or is_listed_before then 'NO_PREVIOUS_CLOSE'
            when
                exists (
                    select 1
                    from all_bars
                    where all_bars.stock_code = ticked.stock_code and all_bars.time < ticked.trade_date
                )
                then 'NO_PREVIOUS_CLOSE'
            else 'FIRST_SESSION'
        end as reason
    from ticked
),

final as (
    select
        stock_code,
        trade_date,
        previous_session,
        reason::varchar(20) as reason,
        case
            when reason = 'ROUNDING' then 1
            when reason = 'BASE_CHANGED' then base_price::numeric / previous_close
        end::numeric(24, 12) as factor,
        base_price,
        previous_close,
        previous_volume,
        shares,
        previous_shares,
        tick,
        market,
        is_fund,
        coalesce(open_price = base_price, false) as is_opened_at_base,
        source,
        created_at
    from judged
)

select * from final
