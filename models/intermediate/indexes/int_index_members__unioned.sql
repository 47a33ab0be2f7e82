-- Members of an index by list, all sources in one shape: one relation a source. A list with a row that cannot be read
-- says nothing for sure about who is missing from it: it is held back whole. A source that tells only the present has
-- its list on the day of the look.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'trade_date',
        'datasets': ['index_components'],
        'looks_again': 'days_of_members_known_since',
    },
    indexes=[{'columns': ['trade_date']}, {'columns': ['source', 'index_name', 'trade_date']}],
) }}

{% set relations = {
    'stg_krx__index_members': 'krx',
    'stg_krx__portal_index_members': 'krx',
    'int_index_components__kis_listed': 'kis',
    'stg_infomax__index_constituents': 'infomax',
} %}

{% set at_hand = and_in_answers_to_days_to_rebuild('listed.fetch_id') %}

with

cells as (
    select
        source,
        collection_date,
        fetch_id,
        fetched_at,
        is_current
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'index_components'
        {{ and_in_days_to_rebuild('collection_date') }}
),

identified as (
    select
        isin,
        stock_code
    from {{ ref('int_stocks__identified') }}
),

stock_versions as (
    select
        stock_code,
        vendor_market,
        list_date
    from {{ ref('int_stocks__versioned') }}
    where vendor_market is not null
),

markets as (
    select
        vendor_market,
        market
    from {{ ref('markets') }}
),

unioned as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        listed.index_name,
        listed.stock_code,
        listed.isin,
        listed.stock_name,
        cells.collection_date as trade_date,
        listed.fetch_id,
        listed.row_number,
        cells.fetched_at,
        cells.is_current
    from cells
    inner join {{ ref(relation) }} as listed on cells.fetch_id = listed.fetch_id
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

coded as (
    select
        unioned.source,
        unioned.index_name,
        coalesce(unioned.stock_code, identified.stock_code) as stock_code,
        unioned.isin,
        unioned.stock_name,
        unioned.trade_date,
        unioned.fetch_id,
        unioned.row_number,
        unioned.fetched_at,
        unioned.is_current,
        coalesce(unioned.stock_code, identified.stock_code, unioned.isin, unioned.row_number::text) as member
    from unioned
    left join identified on unioned.isin = identified.isin
),

compared as (
    select
        *,
        min(fetched_at) over (partition by source, index_name, trade_date, member) as first_fetched_at,
        row_number() over (
            partition by source, index_name, trade_date, member order by is_current desc, fetch_id desc, row_number
        ) as recency
    from coded
),

current_rows as (
    select * from compared
    where is_current and recency = 1
),

-- where a stock was listed by the list next to the day, an older one first
listed_markets as (
    select distinct on (members.stock_code, members.trade_date)
        members.stock_code,
        members.trade_date,
        markets.market
    from (
        select distinct
            stock_code,
            trade_date
        from current_rows
    ) as members
    inner join stock_versions on members.stock_code = stock_versions.stock_code
    inner join markets on stock_versions.vendor_market = markets.vendor_market
    order by
        members.stock_code asc,
        members.trade_date asc,
        stock_versions.list_date > members.trade_date asc,
        abs(stock_versions.list_date - members.trade_date) asc
),

-- one stock may have moved since; a list of which a quarter lies on the other market is another index's
placed as (
    select
        current_rows.*,
        listed_markets.market,
        left(current_rows.index_name, 5) in ('KOSPI', 'KOSDA')
        and left(current_rows.index_name, 5) <> left(listed_markets.market, 5) as is_of_other_market,
        avg((left(current_rows.index_name, 5) <> left(listed_markets.market, 5))::integer) over (
            partition by current_rows.source, current_rows.index_name, current_rows.trade_date
        ) as part_of_other_market
    from current_rows
    left join listed_markets
        on
            current_rows.stock_code = listed_markets.stock_code
            and current_rows.trade_date = listed_markets.trade_date
),

checked as (
    select
        *,
        case
            when stock_code is null and isin is not null then 'ISIN_UNKNOWN'
            when {{ is_no_stock_code('stock_code') }} then 'CODE_MALFORMED'
            when is_of_other_market and part_of_other_market > 0.25 then 'MEMBER_OF_OTHER_MARKET'
            else ''
        end as own_broken_rules
    from placed
),

held as (
    select
        *,
        max(own_broken_rules) over (partition by source, index_name, trade_date) <> '' as is_held_back
    from checked
),

final as (
    select
        source,
        index_name,
        stock_code,
        isin,
        trade_date,
        stock_name,
        market,
        case
            when own_broken_rules = '' and is_held_back then 'HELD_WITH_ITS_LIST'
            else own_broken_rules
        end as broken_rules,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from held
)

select * from final
