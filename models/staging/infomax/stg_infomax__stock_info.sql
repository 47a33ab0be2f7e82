with

source_rows as (
    select * from {{ source('infomax', 'infomax__stock_info') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.code as stock_code,
        source_rows.isin,
        {{ to_date8('source_rows.date') }} as trade_date,
        nullif(trim(source_rows.kr_name), '') as stock_name,
        -- of a fund none: a market's ticks, limits and lists are those of stocks
        case
            when (source_rows.equity_type ~ '^(EF|EN|FE|ETF|ETN|상장지수.*)$') is not true then source_rows.market
        end as vendor_market,
        null::text as board_section,
        {{ to_number('source_rows.open_price', is_json=true) }} as open_price,
        {{ to_number('source_rows.high_price', is_json=true) }} as high_price,
        {{ to_number('source_rows.low_price', is_json=true) }} as low_price,
        {{ to_number('source_rows.close_price', is_json=true) }} as close_price,
        {{ to_number('source_rows.base_price', is_json=true) }} as base_price,
        {{ to_number('source_rows.change_rate', is_json=true) }} as change_rate,
        {{ to_number('source_rows.trading_volume', is_json=true) }} as volume,
        {{ to_number('source_rows.trading_value', is_json=true) }} as trading_value,
        {{ to_number('source_rows.listed_shares', is_json=true) }} as listed_shares,
        null::numeric as vendor_market_cap,
        {{ unreadable_fields(
            ['open_price', 'high_price', 'low_price', 'close_price', 'base_price', 'change_rate', 'trading_volume',
             'trading_value', 'listed_shares'],
            'source_rows',
            is_json=true
        ) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
