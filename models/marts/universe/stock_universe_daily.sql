{{ config(
    materialized='incremental',
    incremental_strategy='swap_from_day',
    meta={
        'day_column': 'time',
        'datasets': [
            'ohlcv_daily', 'stocks', 'delisted_stocks', 'index_components', 'floating_shares', 'sectors',
        ],
    },
    indexes=[{'columns': ['time']}],
) }}

with

-- with the session before: a base price is held against its close
known_bars as (
    select * from {{ ref('int_daily_prices__first_known') }}
    where
        stock_code ~ '^[0-9][0-9A-Z]{5}$'
        and (
            (true {{ and_from_first_day_to_rebuild('trade_date') }})
            or (true {{ and_in_sessions_before_days_to_rebuild('trade_date') }})
        )
),

bars as (
    select * from known_bars
    where true {{ and_from_first_day_to_rebuild('trade_date') }}
),

calendar as (
    select * from {{ ref('trading_calendar') }}
    where
        is_session
        {{ and_from_first_day_to_rebuild('date') }}
),

openings as (
    select
        date,
        opens_at
    from {{ ref('trading_calendar') }}
),

collected_days as (
    select collection_date
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset in ('ohlcv_daily', 'stocks')
        {{ and_from_first_day_to_rebuild('collection_date') }}
    group by collection_date
),

list_states as (
    select * from {{ ref('int_stocks__list_states') }}
),

listings as (
    select * from {{ ref('stocks_history') }}
),

index_members as (
    select * from {{ ref('index_components_history') }}
),

floats as (
    select * from {{ ref('floating_shares_history') }}
),

sectors_of_stocks as (
    select * from {{ ref('stock_sectors_history') }}
),

factors as (
    select
        stock_code,
        ex_date,
        factor,
        base_price,
        previous_close,
        reason
    from {{ ref('adjustment_factors') }}
),

markets as (
    select * from {{ ref('markets') }}
),

price_limits as (
    select * from {{ ref('price_limits') }}
),

-- ticks of a market and time as two arrays, so that the tick of a price is a look into them and no join
ticks as (
    select
        market,
        valid_from,
        valid_to,
        array_agg(price_from::numeric order by price_from) as price_froms,
        array_agg(tick::numeric order by price_from) as tick_sizes
    from {{ ref('tick_sizes') }}
    group by market, valid_from, valid_to
),

-- what is told of a session: everything that became known before the next one opened
sessions as (
    select
        calendar.date as time,
        openings.opens_at as known_before
    from calendar
    inner join collected_days on calendar.date = collected_days.collection_date
    inner join openings on calendar.next_session = openings.date
),

listed_by_list as (
    select
        stock_code,
        min(known_at) as first_listed_at
    from list_states
    where is_listed
    group by stock_code
),

named as (
    select
        sessions.time,
        sessions.known_before,
        listings.stock_code
    from sessions
    inner join listings
        on {{ holds_on('listings', 'sessions.time', 'sessions.known_before') }}
    inner join listed_by_list
        on
            listings.stock_code = listed_by_list.stock_code
            and sessions.known_before > listed_by_list.first_listed_at
),

-- lists name the listed, files of prices what they hold: a name known from files alone is there when they have it
told as (
    select
        coalesce(bars.trade_date, named.time) as time,
        coalesce(bars.stock_code, named.stock_code) as stock_code,
        coalesce(bars.known_before, named.known_before) as known_before,
        bars.stock_name,
        bars.vendor_market,
        bars.close_price,
        nullif(bars.base_price, 0) as base_price,
        bars.volume,
        bars.listed_shares,
        bars.is_suspended,
        bars.source
    from bars
    full join named on bars.stock_code = named.stock_code and bars.trade_date = named.time
),

-- the index was known on the session at all
covered as (
    select
        index_name,
        min(valid_from) as valid_from,
        min(known_from) as known_from
    from index_members
    group by index_name
),

members as (
    select
        sessions.time,
        index_members.stock_code,
        bool_or(index_members.index_name = 'KOSPI200') as is_kospi200,
        bool_or(index_members.index_name = 'KOSDAQ150') as is_kosdaq150
    from sessions
    inner join index_members
        on {{ holds_on('index_members', 'sessions.time', 'sessions.known_before') }}
    group by sessions.time, index_members.stock_code
),

covered_sessions as (
    select
        sessions.time,
        bool_or(covered.index_name = 'KOSPI200') as has_kospi200,
        bool_or(covered.index_name = 'KOSDAQ150') as has_kosdaq150
    from sessions
    inner join covered
        on sessions.time >= covered.valid_from and sessions.known_before > covered.known_from
    group by sessions.time
),

sector_versions as (
    select * from sectors_of_stocks
    where classification = 'KRX'
),

described as (
    select
        told.time,
        told.stock_code,
        told.known_before,
        coalesce(told.stock_name, listed.stock_name) as stock_name,
        coalesce(markets.market, listed.market) as market,
        case when coalesce(markets.market, listed.market) = listed.market then listed.segment end as listed_segment,
        markets.segment as told_segment,
        listed.security_type,
        listed.listing_date,
        sector.sector_id,
        told.close_price,
        told.base_price,
        bars_before.close_price as previous_close,
        told.volume,
        coalesce(told.listed_shares, listed.listed_shares) as listed_shares,
        told.is_suspended,
        told.source,
        free_float.floating_shares,
        free_float.floating_ratio
    from told
    left join markets on told.vendor_market = markets.vendor_market
    left join calendar on told.time = calendar.date
    left join known_bars as bars_before
        on told.stock_code = bars_before.stock_code and calendar.previous_session = bars_before.trade_date
    {{ as_of_join('listings', 'listed', 'told.stock_code = listed.stock_code', 'told.time',
        known_before='told.known_before') }}
    {{ as_of_join('sector_versions', 'sector', 'told.stock_code = sector.stock_code', 'told.time',
        known_before='told.known_before') }}
    {{ as_of_join('floats', 'free_float', 'told.stock_code = free_float.stock_code', 'told.time',
        known_before='told.known_before') }}
),

ticked as (
    select
        described.*,
        factors.reason as factor_reason,
        factors.factor,
        -- factors are made of what is known now: one that was made of other prices than these was not known then
        (factors.base_price, factors.previous_close) = (described.base_price, described.previous_close)
            as is_factor_of_known_prices,
        coalesce(factors.reason = 'FIRST_SESSION', described.listing_date = described.time, false) as is_first_day,
        price_limits.limit_rate,
        ticks.price_froms,
        ticks.tick_sizes,
        ticks.tick_sizes[width_bucket(described.base_price, ticks.price_froms)] as tick
    from described
    left join factors on described.stock_code = factors.stock_code and described.time = factors.ex_date
    left join price_limits
        on
            described.market = price_limits.market
            and described.time >= price_limits.valid_from
            and (described.time < price_limits.valid_to or price_limits.valid_to is null)
    left join ticks
        on
            case when described.security_type in ('ETF', 'ETN') then 'ETF' else described.market end = ticks.market
            and described.time >= ticks.valid_from
            and (described.time < ticks.valid_to or ticks.valid_to is null)
),

-- the widest move is cut to whole ticks of the base price (KRX business regulation, daily price limit)
limited as (
    select
        *,
        floor(base_price * limit_rate / tick) * tick as widest_move
    from ticked
    -- `offset 0` keeps PostgreSQL from writing the expression out wherever it is referred to, to compute it six times
    offset 0  -- noqa: AM09
),

reached as (
    select
        *,
        tick_sizes[width_bucket(base_price + widest_move, price_froms)] as upper_tick
    from limited
),

priced as (
    select
        *,
        -- other limits hold on a first day, and for leveraged products
        case
            when not is_first_day and security_type not in ('ETF', 'ETN')
                then floor((base_price + widest_move) / upper_tick) * upper_tick
        end as upper_limit_price,
        case
            when not is_first_day and security_type not in ('ETF', 'ETN')
                then base_price - widest_move
        end as lower_limit_price
    from reached
    offset 0  -- noqa: AM09
),

final as (
    select
        priced.time,
        priced.stock_code::varchar(10) as stock_code,
        priced.stock_name::varchar(100) as stock_name,
        priced.market::varchar(10) as market,
        coalesce(
            priced.listed_segment,
            case when priced.told_segment like priced.market || '%' then priced.told_segment else priced.market end
        )::varchar(20) as segment,
        priced.security_type::varchar(30) as security_type,
        priced.sector_id::integer as sector_id,
        priced.close_price::integer as close_price,
        priced.listed_shares::bigint as listed_shares,
        (priced.close_price * priced.listed_shares)::bigint as market_cap,
        priced.floating_shares::bigint as floating_shares,
        priced.floating_ratio::numeric(5, 2) as floating_ratio,
        case
            when priced.factor_reason is not null and priced.is_factor_of_known_prices then priced.factor
            when abs(priced.base_price - priced.previous_close) < coalesce(priced.tick, 1) then 1
            else priced.base_price::numeric / priced.previous_close
        end::numeric(24, 12) as adjustment_factor,
        priced.upper_limit_price::integer as upper_limit_price,
        priced.lower_limit_price::integer as lower_limit_price,
        true as is_listed,
        priced.is_suspended,
        case when priced.volume > 0 then true when priced.is_suspended then false end as is_tradable,
        priced.is_first_day,
        priced.close_price = priced.upper_limit_price as is_limit_up,
        priced.close_price = priced.lower_limit_price as is_limit_down,
        case when covered_sessions.has_kospi200 then coalesce(members.is_kospi200, false) end as is_kospi200,
        case when covered_sessions.has_kosdaq150 then coalesce(members.is_kosdaq150, false) end as is_kosdaq150,
        priced.source::varchar(20) as source,
        priced.known_before
    from priced
    left join members on priced.time = members.time and priced.stock_code = members.stock_code
    left join covered_sessions on priced.time = covered_sessions.time
)

select * from final
