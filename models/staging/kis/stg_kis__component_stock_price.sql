with

source_rows as (
    select * from {{ source('kis', 'kis__inquire_component_stock_price') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        fetches.request ->> 'FID_INPUT_ISCD' as etf_code,
        {{ to_date8("fetches.request ->> 'base_date'") }} as base_date,
        nullif(trim(source_rows.stck_shrn_iscd), '') as component_code,
        null::text as component_isin,
        nullif(trim(source_rows.hts_kor_isnm), '') as component_name,
        -- the vendor sends no count: the amount in one creation unit is price now × shares
        round(
            {{ to_number('source_rows.etf_cnfg_issu_avls') }} / nullif({{ to_number('source_rows.stck_prpr') }}, 0), 2
        ) as shares,
        {{ to_number('source_rows.etf_cnfg_issu_avls') }} as valuation_krw,
        {{ to_number('source_rows.etf_cnfg_issu_rlim') }} as weight,
        null::numeric as total_valuation_krw,
        {{ unreadable_fields(
            ['stck_prpr', 'etf_cnfg_issu_avls', 'etf_cnfg_issu_rlim'], 'source_rows'
        ) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
