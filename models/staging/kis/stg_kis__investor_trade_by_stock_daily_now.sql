with

source_rows as (
    select * from {{ source('kis', 'kis__investor_trade_by_stock_daily_output1') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note("fetches.request ->> 'FID_INPUT_ISCD'") }} as stock_code,
        nullif(source_rows.rprs_mrkt_kor_name, '') as market_name,
        {{ to_number('source_rows.stck_prpr') }} as price_now,
        {{ to_number('source_rows.acml_vol') }} as volume_now,
        {{ unreadable_fields(['stck_prpr', 'acml_vol'], 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
