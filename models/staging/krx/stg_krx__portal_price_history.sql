{% set numbers = [
    'tdd_opnprc', 'tdd_hgprc', 'tdd_lwprc', 'tdd_clsprc', 'cmpprevdd_prc', 'fluc_rt', 'acc_trdvol',
    'acc_trdval', 'list_shrs', 'mktcap',
] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat01701') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ krx_stock_code('fetches.request') }} as stock_code,
        {{ to_date8('source_rows.trd_dd') }} as trade_date,
        null::text as stock_name,
        null::text as vendor_market,
        null::text as board_section,
        {{ to_number('source_rows.tdd_opnprc') }} as open_price,
        {{ to_number('source_rows.tdd_hgprc') }} as high_price,
        {{ to_number('source_rows.tdd_lwprc') }} as low_price,
        {{ to_number('source_rows.tdd_clsprc') }} as close_price,
        {{ to_number('source_rows.tdd_clsprc') }} - {{ to_number('source_rows.cmpprevdd_prc') }} as base_price,
        {{ to_number('source_rows.fluc_rt') }} as change_rate,
        {{ to_number('source_rows.acc_trdvol') }} as volume,
        {{ to_number('source_rows.acc_trdval') }} as trading_value,
        {{ to_number('source_rows.list_shrs') }} as listed_shares,
        {{ to_number('source_rows.mktcap') }} as vendor_market_cap,
        (fetches.request ->> 'adjStkPrc') = '2' as is_adjusted,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
