-- The last delisting of every code, by the source that comes first; what that one does not tell comes from the others.
{% set relations = {
    'stg_infomax__stock_expired': ['infomax', 'null'],
    'stg_krx__portal_delisted': ['krx', 'delisted.delisting_reason'],
} %}

with

cells as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        max(collection_date) over (partition by source, scope) as newest_date
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'delisted_stocks'
        and is_current
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'delisted_stocks'
),

unioned as (
    {% for relation, (source_name, reason) in relations.items() %}
    select
        cells.source,
        delisted.stock_code,
        delisted.isin,
        delisted.stock_name,
        delisted.vendor_market,
        delisted.vendor_security_type,
        delisted.listing_date,
        delisted.delisting_date,
        {{ reason }}::text as delisting_reason,
        delisted.fetch_id,
        delisted.row_number,
        cells.fetched_at
    from cells
    inner join {{ ref(relation) }} as delisted on cells.fetch_id = delisted.fetch_id
    where cells.source = '{{ source_name }}' and cells.collection_date = cells.newest_date
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- a code can be delisted more than once in thirty years: its last delisting counts
dated as (
    select
        *,
        max(delisting_date) over (partition by stock_code) as last_delisting_date
    from unioned
    where
        -- subscription rights and beneficiary certificates have eight characters: they are no stocks
        stock_code ~ '^[0-9][0-9A-Z]{5}$'
        and delisting_date is not null
),

ranked as (
    select
        dated.*,
        row_number() over (
            partition by dated.stock_code
            order by
                source_priorities.priority, dated.source, dated.delisting_date desc, dated.fetch_id desc,
                dated.row_number
        ) as preference
    from dated
    left join source_priorities on dated.source = source_priorities.source
    -- sources that differ by some days speak of one delisting
    where dated.delisting_date > dated.last_delisting_date - 31
),

final as (
    select
        stock_code,
        (array_agg(source order by preference))[1] as source,
        (array_remove(array_agg(isin order by preference), null))[1] as isin,
        (array_remove(array_agg(stock_name order by preference), null))[1] as stock_name,
        (array_remove(array_agg(vendor_market order by preference), null))[1] as vendor_market,
        (array_remove(array_agg(vendor_security_type order by preference), null))[1] as vendor_security_type,
        (array_remove(array_agg(listing_date order by preference), null))[1] as listing_date,
        (array_agg(delisting_date order by preference))[1] as delisting_date,
        (array_remove(array_agg(delisting_reason order by preference), null))[1] as delisting_reason,
        min(fetched_at) as first_fetched_at,
        max(fetched_at) as fetched_at
    from ranked
    group by stock_code
)

select * from final
