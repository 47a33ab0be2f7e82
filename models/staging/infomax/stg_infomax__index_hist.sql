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
        {{ to_number('source_rows.open_price') }} as open,
        {{ to_number('source_rows.high_price') }} as high,
        {{ to_number('source_rows.low_price') }} as low,
        {{ to_number('source_rows.close_price') }} as close,
        -- thousand shares and million won, always
        {{ to_number('source_rows.trading_volume') }} * 1000 as volume,
        {{ to_number('source_rows.trading_value') }} * 1000000 as trading_value,
        {{ to_number('source_rows.marketcap') }} * 1000000 as market_cap,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
