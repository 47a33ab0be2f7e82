{% set numbers = ['tdd_clsprc', 'str_cmp_prc', 'fluc_rt', 'mktcap'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat00601') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        case concat_ws('/', fetches.request ->> 'indIdx', fetches.request ->> 'indIdx2')
            when '1/028' then 'KOSPI200'
            when '2/203' then 'KOSDAQ150'
        end as index_name,
        (fetches.request ->> 'indIdx') || '/' || (fetches.request ->> 'indIdx2') as vendor_index,
        source_rows.isu_srt_cd as stock_code,
        null::text as isin,
        source_rows.isu_abbrv as stock_name,
        {{ to_date8("fetches.request ->> 'trdDd'") }} as list_date,
        {{ to_number('source_rows.tdd_clsprc') }} as close_price,
        {{ to_number('source_rows.str_cmp_prc') }} as price_change,
        {{ to_number('source_rows.fluc_rt') }} as change_rate,
        {{ to_number('source_rows.mktcap') }} as market_cap,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
