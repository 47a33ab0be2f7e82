{% set numbers = ['stck_oprc', 'stck_hgpr', 'stck_lwpr', 'stck_prpr', 'cntg_vol', 'acml_tr_pbmn'] %}

with

source_rows as (
    select * from {{ source('kis', 'kis__inquire_time_dailychartprice') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note("fetches.request ->> 'FID_INPUT_ISCD'") }} as stock_code,
        {{ to_date8('source_rows.stck_bsop_date') }} as trade_date,
        source_rows.stck_cntg_hour as minute_label,
        -- the label is the start of the minute; its seconds say nothing
        case
            when source_rows.stck_cntg_hour ~ '^([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$'
                then
                    (
                        {{ to_date8('source_rows.stck_bsop_date') }}
                        + (left(source_rows.stck_cntg_hour, 4) || '00')::time
                    ) at time zone 'Asia/Seoul'
        end as started_at,
        {{ to_number('source_rows.stck_oprc') }} as open_price,
        {{ to_number('source_rows.stck_hgpr') }} as high_price,
        {{ to_number('source_rows.stck_lwpr') }} as low_price,
        {{ to_number('source_rows.stck_prpr') }} as close_price,
        {{ to_number('source_rows.cntg_vol') }} as volume,
        null::numeric as trading_value,
        {{ to_number('source_rows.acml_tr_pbmn') }} as cumulative_value,
        null::numeric as cumulative_volume,
        {{ kis_venue('fetches.request') }} as venue,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
