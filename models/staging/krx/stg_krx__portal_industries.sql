{% set numbers = ['tdd_clsprc', 'cmpprevdd_prc', 'fluc_rt', 'mktcap'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat03901') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        'KRX' as classification,
        source_rows.isu_srt_cd as stock_code,
        source_rows.idx_ind_nm as sector_name,
        {{ to_date8("fetches.request ->> 'trdDd'") }} as list_date,
        source_rows.isu_abbrv as stock_name,
        source_rows.mkt_tp_nm as vendor_market,
        {{ to_number('source_rows.tdd_clsprc') }} as close_price,
        {{ to_number('source_rows.cmpprevdd_prc') }} as price_change,
        {{ to_number('source_rows.fluc_rt') }} as change_rate,
        {{ to_number('source_rows.mktcap') }} as market_cap,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
