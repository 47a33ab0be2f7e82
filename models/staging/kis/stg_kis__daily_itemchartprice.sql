{% set numbers = ['stck_oprc', 'stck_hgpr', 'stck_lwpr', 'stck_clpr', 'prdy_vrss', 'acml_vol', 'acml_tr_pbmn'] %}

with

source_rows as (
    select * from {{ source('kis', 'kis__inquire_daily_itemchartprice') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note("fetches.request ->> 'FID_INPUT_ISCD'") }} as stock_code,
        {{ to_date8('source_rows.stck_bsop_date') }} as trade_date,
        null::text as stock_name,
        null::text as vendor_market,
        null::text as board_section,
        {{ to_number('source_rows.stck_oprc') }} as open_price,
        {{ to_number('source_rows.stck_hgpr') }} as high_price,
        {{ to_number('source_rows.stck_lwpr') }} as low_price,
        {{ to_number('source_rows.stck_clpr') }} as close_price,
        -- the sign of the change has a field of its own, whether or not the number carries one: 4 and 5 are down.
        -- Where the two contradict each other the change is not known
        {{ to_number('source_rows.stck_clpr') }} - case
            when source_rows.prdy_vrss_sign in ('4', '5') then -abs({{ to_number('source_rows.prdy_vrss') }})
            when source_rows.prdy_vrss_sign in ('1', '2', '3') and {{ to_number('source_rows.prdy_vrss') }} >= 0
                then {{ to_number('source_rows.prdy_vrss') }}
        end as base_price,
        null::numeric as change_rate,
        {{ to_number('source_rows.acml_vol') }} as volume,
        {{ to_number('source_rows.acml_tr_pbmn') }} as trading_value,
        -- the vendor tells the shares of now only (output1), never those of the day
        null::numeric as listed_shares,
        null::numeric as vendor_market_cap,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
