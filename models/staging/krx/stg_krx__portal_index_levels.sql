{% set numbers = [
    'opnprc_idx', 'hgprc_idx', 'lwprc_idx', 'clsprc_idx', 'prv_dd_cmpr', 'updn_rate', 'acc_trdvol',
    'acc_trdval', 'mktcap',
] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat00301') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        (fetches.request ->> 'indIdx') || '/' || (fetches.request ->> 'indIdx2') as vendor_index,
        {{ to_date8('source_rows.trd_dd') }} as trade_date,
        {{ to_number('source_rows.opnprc_idx') }} as open_price,
        {{ to_number('source_rows.hgprc_idx') }} as high_price,
        {{ to_number('source_rows.lwprc_idx') }} as low_price,
        {{ to_number('source_rows.clsprc_idx') }} as close_price,
        {{ to_number('source_rows.prv_dd_cmpr') }} as price_change,
        {{ to_number('source_rows.updn_rate') }} as change_rate,
        {{ to_number('source_rows.acc_trdvol') }} as volume,
        {{ to_number('source_rows.acc_trdval') }} as trading_value,
        {{ to_number('source_rows.mktcap') }} as market_cap,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
