{{ config(
    indexes=[{'columns': ['sector_id']}, {'columns': ['market', 'listing_date']}],
) }}

with

versions as (
    select * from {{ ref('int_stocks__versioned') }}
),

delisted as (
    select * from {{ ref('int_stocks__delisted') }}
),

last_priced as (
    select * from {{ ref('int_stocks__last_priced') }}
),

-- the newest word of an index about a stock: some names of the past are in no other list
index_stocks as (
    select distinct on (stock_code)
        stock_code,
        stock_name,
        case when index_name like 'KOSDAQ%' then 'KOSDAQ' else 'KOSPI' end as vendor_market,
        min(first_fetched_at) over (partition by stock_code) as first_fetched_at,
        fetched_at
    from {{ ref('int_index_components__stated') }}
    order by stock_code, is_member desc, trade_date desc, index_name
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'stocks'
),

markets as (
    select * from {{ ref('markets') }}
),

security_types as (
    select * from {{ ref('security_types') }}
),

-- the exchange's classification first, then WICS
sectors_of_stocks as (
    select distinct on (stock_code)
        stock_code,
        sector_id
    from {{ ref('stock_sectors') }}
    where sector_id is not null
    order by stock_code, classification
),

sessions as (
    select
        date,
        session_number
    from {{ ref('trading_calendar') }}
    where is_session
),

newest_versions as (
    select
        *,
        min(fetched_at) over (partition by source, stock_code) as first_fetched_at,
        row_number() over (partition by source, stock_code order by list_date desc) as recency
    from versions
),

-- how long a stock has been missing from a source's daily files, in sessions; funds have a file of their own
recency_of_bars as (
    select
        last_priced.*,
        max(sessions.session_number) over (partition by last_priced.source, last_priced.is_fund)
        - sessions.session_number as sessions_behind
    from last_priced
    left join sessions on last_priced.last_priced_date = sessions.date
),

-- every source's present view of a stock, in one shape
views as (
    select
        source,
        stock_code,
        isin,
        stock_name,
        stock_name_en,
        vendor_market,
        vendor_security_type,
        stock_kind,
        listing_date,
        listed_shares,
        is_listed,
        null::date as delisting_date,
        null::text as delisting_reason,
        null::integer as sessions_behind,
        false as is_fund,
        first_fetched_at,
        fetched_at
    from newest_versions
    where recency = 1
    union all
    select
        source,
        stock_code,
        isin,
        stock_name,
        null as stock_name_en,
        vendor_market,
        vendor_security_type,
        null as stock_kind,
        listing_date,
        null as listed_shares,
        null as is_listed,
        delisting_date,
        delisting_reason,
        null as sessions_behind,
        false as is_fund,
        first_fetched_at,
        fetched_at
    from delisted
    union all
    select
        source,
        stock_code,
        null as isin,
        stock_name,
        null as stock_name_en,
        vendor_market,
        null as vendor_security_type,
        null as stock_kind,
        null as listing_date,
        listed_shares,
        null as is_listed,
        null as delisting_date,
        null as delisting_reason,
        sessions_behind,
        is_fund,
        first_fetched_at,
        fetched_at
    from recency_of_bars
    union all
    select
        -- no source of stocks: without a priority, so that any other speaks first
        'index' as source,
        stock_code,
        null as isin,
        stock_name,
        null as stock_name_en,
        vendor_market,
        null as vendor_security_type,
        null as stock_kind,
        null as listing_date,
        null as listed_shares,
        null as is_listed,
        null as delisting_date,
        null as delisting_reason,
        null as sessions_behind,
        false as is_fund,
        first_fetched_at,
        fetched_at
    from index_stocks
),

ranked as (
    select
        views.*,
        markets.market,
        markets.segment,
        security_types.security_type,
        row_number() over (
            partition by views.stock_code
            order by
                -- a list that still has the stock knows it best, then one that had it, then its last bar
                views.is_listed desc nulls last, views.delisting_date desc nulls last,
                source_priorities.priority, views.source
        ) as preference
    from views
    left join source_priorities on views.source = source_priorities.source
    {{ left_join_market('views.vendor_market') }}
    left join security_types on views.vendor_security_type = security_types.vendor_type
),

-- Attribute by attribute, the best source that knows it. The exchange's lists of stocks name no fund: its file of funds
-- does, which is a file of KOSPI.
merged as (
    select
        stock_code,
        (array_remove(array_agg(isin order by preference), null))[1] as isin,
        (array_remove(array_agg(stock_name order by preference), null))[1] as stock_name,
        (array_remove(array_agg(stock_name_en order by preference), null))[1] as stock_name_en,
        coalesce(
            (array_remove(array_agg(market order by preference), null))[1], case when bool_or(is_fund) then 'KOSPI' end
        ) as market,
        -- Infomax does not tell KOSDAQ GLOBAL from KOSDAQ: the others speak first
        (array_remove(array_agg(segment order by (source = 'infomax')::integer, preference), null))[1] as segment,
        coalesce(
            (array_remove(array_agg(security_type order by (security_type = 'STOCK')::integer, preference), null))[1],
            case when bool_or(is_fund) then 'ETF' end
        ) as security_type,
        (array_remove(array_agg(stock_kind order by preference), null))[1] as stock_kind,
        (array_remove(array_agg(listing_date order by preference), null))[1] as listing_date,
        (array_remove(array_agg(listed_shares order by sessions_behind nulls last, preference), null))[1]
            as listed_shares,
        bool_or(is_listed) as is_listed,
        max(delisting_date) as delisting_date,
        max(delisting_reason) as delisting_reason,
        min(sessions_behind) as sessions_behind,
        bool_or(is_fund) as is_fund,
        min(first_fetched_at) as first_fetched_at,
        max(fetched_at) filter (where is_listed is not null or delisting_date is not null) as list_fetched_at,
        max(fetched_at) as last_fetched_at
    from ranked
    group by stock_code
),

-- where some list covers a market, absence from it means something
listed_markets as (
    select market
    from ranked
    where is_listed
    group by market
),

-- and where files of prices do
priced_markets as (
    select market
    from ranked
    where sessions_behind = 0
    group by market
),

judged as (
    select
        merged.*,
        sectors_of_stocks.sector_id,
        case
            when
                merged.delisting_date > coalesce(merged.listing_date, '-infinity')
                then false
            when merged.is_listed is not null then merged.is_listed
            -- no list ever named it: the newest file of funds holds every listed one
            when merged.is_fund then merged.sessions_behind = 0
            when listed_markets.market is not null then false
            -- no list at all: KOSPI and KOSDAQ files hold every listed name of a day, KONEX ones may omit the untraded
            when merged.market = 'KONEX' then merged.sessions_behind <= 20
            when merged.sessions_behind is not null then merged.sessions_behind = 0
            -- only an index names it: a member was listed, and leaving an index is no delisting
            else priced_markets.market is null
        end as is_active
    from merged
    left join listed_markets on merged.market = listed_markets.market
    left join sectors_of_stocks on merged.stock_code = sectors_of_stocks.stock_code
    left join priced_markets on merged.market = priced_markets.market
),

final as (
    select
        stock_code::varchar(10) as stock_code,
        stock_name::varchar(100) as stock_name,
        market::varchar(10) as market,
        sector_id,
        listing_date,
        case when not is_active then delisting_date end as delisting_date,
        is_active,
        isin::varchar(12) as isin,
        stock_name_en::varchar(200) as stock_name_en,
        {{ security_type_of_stock('judged') }}::varchar(30) as security_type,
        case when segment like market || '%' then segment else market end::varchar(20) as segment,
        case when listed_shares between 0 and 1e18 then listed_shares end::bigint as listed_shares,
        case when not is_active then delisting_reason end::varchar(200) as delisting_reason,
        first_fetched_at as created_at,
        coalesce(list_fetched_at, last_fetched_at) as updated_at
    from judged
    where stock_name is not null and market is not null
)

select * from final
