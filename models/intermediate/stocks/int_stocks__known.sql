-- What was believed to be the present state of a stock, by the time at which it was believed: one row per stock and
-- span of knowledge time. Attribute by attribute the best source that knew the stock by then, as in marts.stocks.
{{ config(materialized='table', indexes=[{'columns': ['stock_code', 'known_from'], 'unique': true}]) }}

{% set attributes = [
    'isin', 'stock_name', 'market', 'segment', 'security_type', 'stock_kind', 'listing_date', 'listed_shares',
] %}

with

list_states as (
    select * from {{ ref('int_stocks__list_states') }}
),

priced_states as (
    select * from {{ ref('int_stocks__priced_states') }}
),

delisted as (
    select * from {{ ref('int_stocks__delisted') }}
),

delisted_answers as (
    select
        fetch_id,
        min(known_at) as known_at
    from {{ ref('int_collection__known_answers') }}
    where dataset = 'delisted_stocks'
    group by fetch_id
),

infomax_delisted as (
    select
        fetch_id,
        stock_code,
        delisting_date
    from {{ ref('stg_infomax__stock_expired') }}
),

krx_delisted as (
    select
        fetch_id,
        stock_code,
        delisting_date
    from {{ ref('stg_krx__portal_delisted') }}
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

delisted_rows as (
    select * from infomax_delisted
    union all
    select * from krx_delisted
),

-- a delisting is known from the first answer that told of it, and is one from its day on
first_told as (
    select
        delisted_rows.stock_code,
        delisted_rows.delisting_date,
        greatest(
            min(delisted_answers.known_at), delisted_rows.delisting_date::timestamp at time zone 'Asia/Seoul'
        ) as known_at
    from delisted_rows
    inner join delisted_answers on delisted_rows.fetch_id = delisted_answers.fetch_id
    where delisted_rows.delisting_date is not null
    group by delisted_rows.stock_code, delisted_rows.delisting_date
),

unioned as (
    select
        list_states.source,
        'LIST' as kind,
        list_states.stock_code,
        list_states.known_at,
        list_states.known_basis,
        list_states.list_date,
        list_states.isin,
        list_states.stock_name,
        markets.market,
        case when markets.segment like markets.market || '%' then markets.segment else markets.market end as segment,
        security_types.security_type,
        list_states.stock_kind,
        list_states.listing_date,
        list_states.listed_shares,
        list_states.is_listed
    from list_states
    {{ left_join_market('list_states.vendor_market') }}
    left join security_types on list_states.vendor_security_type = security_types.vendor_type
    union all
    select
        delisted.source,
        'DELISTED' as kind,
        delisted.stock_code,
        first_told.known_at,
        'OBSERVED' as known_basis,
        delisted.delisting_date as list_date,
        delisted.isin,
        delisted.stock_name,
        markets.market,
        markets.market as segment,
        security_types.security_type,
        null as stock_kind,
        delisted.listing_date,
        null as listed_shares,
        false as is_listed
    from delisted
    inner join first_told
        on delisted.stock_code = first_told.stock_code and delisted.delisting_date = first_told.delisting_date
    {{ left_join_market('delisted.vendor_market') }}
    left join security_types on delisted.vendor_security_type = security_types.vendor_type
    union all
    select
        source,
        'PRICE' as kind,
        stock_code,
        known_at,
        known_basis,
        list_date,
        null as isin,
        stock_name,
        -- the file of funds is one of KOSPI
        case market when 'ETF' then 'KOSPI' else market end as market,
        case segment when 'ETF' then 'KOSPI' else segment end as segment,
        case market when 'ETF' then 'ETF' end as security_type,
        null as stock_kind,
        null as listing_date,
        listed_shares,
        is_listed
    from priced_states
),

dated as (
    select
        *,
        (known_at at time zone 'Asia/Seoul')::date as known_date,
        row_number() over (
            partition by source, kind, stock_code, (known_at at time zone 'Asia/Seoul')::date
            order by known_at desc, list_date desc
        ) as recency
    from unioned
),

events as (
    select * from dated
    where recency = 1
),

evenings as (
    select
        stock_code,
        known_date,
        max(known_at) as known_from,
        max(list_date) as state_date,
        bool_and(known_basis = 'PUBLISHED') as is_published
    from events
    group by stock_code, known_date
),

speakers as (
    select
        stock_code,
        source,
        kind,
        min(known_date) as first_known_date
    from events
    group by stock_code, source, kind
),

-- on every evening that brought something new, what each source had said last
grid as (
    select
        evenings.stock_code,
        evenings.known_date,
        speakers.source,
        speakers.kind,
        {% for attribute in attributes %}
        events.{{ attribute }},
        {% endfor %}
        events.is_listed,
        events.list_date,
        count(events.known_date) over (
            partition by evenings.stock_code, speakers.source, speakers.kind order by evenings.known_date
        ) as word
    from evenings
    inner join speakers
        on evenings.stock_code = speakers.stock_code and evenings.known_date >= speakers.first_known_date
    left join events
        on
            evenings.stock_code = events.stock_code
            and evenings.known_date = events.known_date
            and speakers.source = events.source
            and speakers.kind = events.kind
),

carried as (
    select
        stock_code,
        known_date,
        source,
        kind,
        {% for attribute in attributes %}
        first_value({{ attribute }}) over words as {{ attribute }},
        {% endfor %}
        first_value(is_listed) over words as is_listed,
        first_value(list_date) over words as list_date
    from grid
    window words as (partition by stock_code, source, kind, word order by known_date)
),

ranked as (
    select
        carried.*,
        row_number() over (
            partition by carried.stock_code, carried.known_date
            order by carried.is_listed desc, carried.kind = 'LIST' desc, source_priorities.priority, carried.source
        ) as preference
    from carried
    left join source_priorities on carried.source = source_priorities.source
),

merged as (
    select
        stock_code,
        known_date,
        (array_remove(array_agg(source order by preference), null))[1] as source,
        (array_remove(array_agg(isin order by preference), null))[1] as isin,
        (array_remove(array_agg(stock_name order by preference), null))[1] as stock_name,
        (array_remove(array_agg(market order by preference), null))[1] as market,
        -- Infomax does not tell KOSDAQ GLOBAL from KOSDAQ: the others speak first
        (array_remove(array_agg(segment order by (source = 'infomax')::integer, preference), null))[1] as segment,
        (array_remove(array_agg(security_type order by (security_type = 'STOCK')::integer, preference), null))[1]
            as security_type,
        (array_remove(array_agg(stock_kind order by preference), null))[1] as stock_kind,
        (array_remove(array_agg(listing_date order by preference), null))[1] as listing_date,
        -- of the newest word, whoever said it
        (array_remove(array_agg(listed_shares order by list_date desc, preference), null))[1] as listed_shares,
        -- a list knows who is listed. Else no file of prices may have lost it, nor a delisting follow its last change
        coalesce(
            bool_or(is_listed) filter (where kind = 'LIST'),
            bool_and(is_listed) filter (where kind = 'PRICE')
            and coalesce(
                max(list_date) filter (where kind = 'PRICE' and is_listed)
                > max(list_date) filter (where kind = 'DELISTED'),
                true
            ),
            false
        ) as is_active
    from ranked
    group by stock_code, known_date
),

described as (
    select
        merged.stock_code,
        evenings.known_from,
        evenings.state_date,
        evenings.is_published,
        merged.source,
        merged.isin,
        merged.stock_name,
        merged.market,
        case when merged.segment like merged.market || '%' then merged.segment else merged.market end as segment,
        {{ security_type_of_stock('merged') }} as security_type,
        merged.listing_date,
        -- what lists said of funds before this was left out there
        case
            when merged.listed_shares between 0 and 1e18 and coalesce(merged.security_type, '') not in ('ETF', 'ETN')
                then merged.listed_shares
        end as listed_shares,
        merged.is_active
    from merged
    inner join evenings
        on merged.stock_code = evenings.stock_code and merged.known_date = evenings.known_date
    where merged.stock_name is not null and merged.market is not null
),

compared as (
    select
        *,
        row(stock_name, market, segment, security_type, listed_shares, is_active)::text as state,
        lag(row(stock_name, market, segment, security_type, listed_shares, is_active)::text) over (
            partition by stock_code order by known_from
        ) as previous_state,
        -- what never changes of a code counts from the beginning, whenever a list first told it
        first_value(isin) over (partition by stock_code order by isin is null, known_from) as own_isin
    from described
),

final as (
    select
        stock_code,
        stock_name::varchar(100) as stock_name,
        market::varchar(10) as market,
        segment::varchar(20) as segment,
        security_type::varchar(30) as security_type,
        coalesce(isin, own_isin)::varchar(12) as isin,
        listing_date,
        listed_shares::bigint as listed_shares,
        is_active,
        -- days of lists and files only move on
        max(state_date) over (partition by stock_code order by known_from) as state_date,
        known_from,
        lead(known_from) over (partition by stock_code order by known_from) as known_to,
        case when is_published then 'PUBLISHED' else 'OBSERVED' end::varchar(10) as known_basis,
        source::varchar(20) as source
    from compared
    where state is distinct from previous_state
)

select * from final
