-- The vendor's ranking of the whole market beside the published bars of the same names and days. It tells nothing of
-- names that it omits: an answer is cut at its 1,000 greatest.
with

cells as (
    select
        source,
        collection_date,
        fetch_id
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'market_rank_check'
        and is_current
),

ranking as (
    select * from {{ ref('stg_infomax__stock_rank') }}
),

bars as (
    select * from {{ ref('ohlcv_daily') }}
),

caps as (
    select * from {{ ref('market_cap_daily') }}
),

-- a market whose answer was cut is asked again by type: names come twice
ranked as (
    select
        cells.source,
        cells.collection_date,
        ranking.stock_code,
        ranking.close_price,
        ranking.volume,
        ranking.trading_value,
        ranking.vendor_market_cap,
        ranking.fetch_id,
        ranking.row_number,
        row_number() over (
            partition by cells.collection_date, ranking.stock_code
            order by ranking.fetch_id desc, ranking.row_number
        ) as occurrence
    from cells
    inner join ranking on cells.fetch_id = ranking.fetch_id
),

final as (
    select
        ranked.collection_date as time,
        ranked.stock_code,
        ranked.source as ranking_source,
        bars.source as bar_source,
        ranked.close_price as ranking_close_price,
        bars.close_price,
        ranked.volume as ranking_volume,
        bars.volume,
        ranked.trading_value as ranking_trading_value,
        bars.trading_value,
        ranked.vendor_market_cap as ranking_market_cap,
        caps.market_cap,
        ranked.fetch_id,
        ranked.row_number
    from ranked
    inner join bars on ranked.stock_code = bars.stock_code and ranked.collection_date = bars.time
    left join caps on ranked.stock_code = caps.stock_code and ranked.collection_date = caps.time
    where ranked.occurrence = 1
)

select * from final
