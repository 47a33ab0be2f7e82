{% set numbers = ['bas_prc', 'tdd_clsprc', 'cmpprevdd_prc', 'fluc_rt', 'acc_trdvol', 'acc_trdval'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat01602') }}
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
        {{ to_date8("fetches.request ->> 'strtDd'") }} as from_date,
        {{ to_date8("fetches.request ->> 'endDd'") }} as to_date,
        source_rows.isu_abbrv as stock_name,
        {{ to_number('source_rows.bas_prc') }} as base_price,
        {{ to_number('source_rows.tdd_clsprc') }} as close_price,
        {{ to_number('source_rows.cmpprevdd_prc') }} as price_change,
        {{ to_number('source_rows.fluc_rt') }} as change_rate,
        {{ to_number('source_rows.acc_trdvol') }} as volume,
        {{ to_number('source_rows.acc_trdval') }} as trading_value,
        (fetches.request ->> 'adjStkPrc') = '2' as is_adjusted,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
