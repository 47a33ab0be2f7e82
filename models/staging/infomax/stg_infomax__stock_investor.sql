{% set amounts = ['ask_volume', 'ask_value', 'bid_volume', 'bid_value'] %}

with

source_rows as (
    select * from {{ source('infomax', 'infomax__stock_investor') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.code as stock_code,
        {{ to_date8('source_rows.date') }} as trade_date,
        source_rows.investor as vendor_investor,
        {{ to_number('source_rows.bid_volume', is_json=true) }} as buy_volume,
        {{ to_number('source_rows.ask_volume', is_json=true) }} as sell_volume,
        -- always thousand won, whatever the size of the number: the unit is a rule, never a guess
        {{ to_number('source_rows.bid_value', is_json=true) }} * 1000 as buy_value,
        {{ to_number('source_rows.ask_value', is_json=true) }} * 1000 as sell_value,
        {{ unreadable_fields(amounts, 'source_rows', is_json=true) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
