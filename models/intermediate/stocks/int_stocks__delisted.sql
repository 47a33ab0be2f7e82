with

cells as (
    select
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        max(collection_date) over (partition by source, scope) as newest_date
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'delisted_stocks'
        and source = 'infomax'
        and is_current
),

expired as (
    select * from {{ ref('stg_infomax__stock_expired') }}
),

-- a code can be delisted more than once in thirty years: its last delisting counts
ranked as (
    select
        expired.*,
        cells.fetched_at,
        row_number() over (
            partition by expired.stock_code
            order by expired.delisting_date desc, expired.fetch_id desc, expired.row_number
        ) as recency
    from cells
    inner join expired on cells.fetch_id = expired.fetch_id
    where
        cells.collection_date = cells.newest_date
        and expired.stock_code ~ '^[0-9][0-9A-Z]{5}$'
        and expired.delisting_date is not null
),

final as (
    select
        stock_code,
        isin,
        stock_name,
        vendor_market,
        vendor_security_type,
        listing_date,
        delisting_date,
        fetched_at
    from ranked
    where recency = 1
)

select * from final
