{% set numbers = [
    'open_price', 'high_price', 'low_price', 'close_price', 'trading_volume', 'trading_value', 'marketcap',
] %}

with

source_rows as (
    select * from {{ source('infomax', 'infomax__index_hist') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        coalesce(source_rows.code, fetches.request ->> 'code') as vendor_index,
        {{ to_date8('source_rows.date') }} as trade_date,
        {{ to_number('source_rows.open_price', is_json=true) }} as open,
        {{ to_number('source_rows.high_price', is_json=true) }} as high,
        {{ to_number('source_rows.low_price', is_json=true) }} as low,
        {{ to_number('source_rows.close_price', is_json=true) }} as close,
        -- thousand shares and million won, always
        {{ to_number('source_rows.trading_volume', is_json=true) }} * 1000 as volume,
        {{ to_number('source_rows.trading_value', is_json=true) }} * 1000000 as trading_value,
        {{ to_number('source_rows.marketcap', is_json=true) }} * 1000000 as market_cap,
        {{ unreadable_fields(numbers, 'source_rows', is_json=true) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
