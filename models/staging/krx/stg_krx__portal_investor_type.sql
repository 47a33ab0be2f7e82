{% set numbers = ['ask_trdvol', 'bid_trdvol', 'netbid_trdvol', 'ask_trdval', 'bid_trdval', 'netbid_trdval'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat02401') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.isu_srt_cd as stock_code,
        case
            when fetches.request ->> 'strtDd' = fetches.request ->> 'endDd'
                then {{ to_date8("fetches.request ->> 'strtDd'") }}
        end as trade_date,
        {{ to_date8("fetches.request ->> 'strtDd'") }} as from_date,
        {{ to_date8("fetches.request ->> 'endDd'") }} as to_date,
        fetches.request ->> 'mktId' as vendor_market,
        fetches.request ->> 'invstTpCd' as vendor_investor,
        source_rows.isu_nm as stock_name,
        {{ to_number('source_rows.ask_trdvol') }} as sell_volume,
        {{ to_number('source_rows.bid_trdvol') }} as buy_volume,
        {{ to_number('source_rows.netbid_trdvol') }} as net_volume,
        {{ to_number('source_rows.ask_trdval') }} as sell_value,
        {{ to_number('source_rows.bid_trdval') }} as buy_value,
        {{ to_number('source_rows.netbid_trdval') }} as net_value,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
