with

source_rows as (
    select * from {{ source('kis', 'kis__inquire_component_stock_price_output1') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        fetches.request ->> 'FID_INPUT_ISCD' as etf_code,
        {{ to_date8("fetches.request ->> 'base_date'") }} as base_date,
        {{ to_number('source_rows.nav') }} as net_asset_value,
        {{ to_number('source_rows.etf_cu_unit_scrt_cnt') }} as creation_unit_shares,
        {{ to_number('source_rows.etf_cnfg_issu_cnt') }} as component_count,
        {{ unreadable_fields(
            ['nav', 'etf_cu_unit_scrt_cnt', 'etf_cnfg_issu_cnt'], 'source_rows'
        ) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
