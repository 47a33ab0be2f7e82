{% set numbers = [
    'open_price', 'high_price', 'low_price', 'close_price', 'trading_volume', 'trading_value', 'marketcap',
] %}

with

source_rows as (
    select * from {{ source('infomax', 'infomax__stock_rank') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.code as stock_code,
        -- the vendor's rows may lack the date: what was asked for is sure
        {{ to_date8("coalesce(source_rows.date, fetches.request ->> 'date')") }} as trade_date,
        source_rows.kr_name as stock_name,
        source_rows.market as vendor_market,
        {{ to_number('source_rows.open_price', is_json=true) }} as open_price,
        {{ to_number('source_rows.high_price', is_json=true) }} as high_price,
        {{ to_number('source_rows.low_price', is_json=true) }} as low_price,
        {{ to_number('source_rows.close_price', is_json=true) }} as close_price,
        {{ to_number('source_rows.trading_volume', is_json=true) }} as volume,
        {{ to_number('source_rows.trading_value', is_json=true) }} as trading_value,
        {{ to_number('source_rows.marketcap', is_json=true) }} as vendor_market_cap,
        {{ unreadable_fields(numbers, 'source_rows', is_json=true) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
