with

source_rows as (
    select * from {{ source('marcap', 'marcap__daily') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.code as stock_code,
        source_rows.date as trade_date,
        source_rows.name as stock_name,
        source_rows.market as vendor_market,
        source_rows.dept as board_section,
        {{ numeric_of_double('source_rows.open') }} as open_price,
        {{ numeric_of_double('source_rows.high') }} as high_price,
        {{ numeric_of_double('source_rows.low') }} as low_price,
        {{ numeric_of_double('source_rows.close') }} as close_price,
        -- Changes is against the base price, so this holds on ex-dates too
        {{ numeric_of_double('(source_rows.close - source_rows.changes)') }} as base_price,
        source_rows.changes_ratio::numeric as change_rate,
        {{ numeric_of_double('source_rows.volume') }} as volume,
        {{ numeric_of_double('source_rows.amount') }} as trading_value,
        {{ numeric_of_double('source_rows.stocks') }} as listed_shares,
        -- by way of text: a direct cast keeps fifteen digits, and a market cap may have sixteen
        source_rows.marcap::text::numeric as vendor_market_cap,
        ''::text as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
