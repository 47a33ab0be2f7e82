{% set numbers = ['constituents', 'etf_value', 'port_value', 'port_volume'] %}

with

source_rows as (
    select * from {{ source('infomax', 'infomax__etf_port') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

numbered as (
    select
        source_rows.*,
        -- a line that leaves fund or day out is of those asked for: one that names others keeps the answer out
        coalesce(nullif(source_rows.code, ''), fetches.request ->> 'code') as fund_code,
        coalesce(nullif(source_rows.date, ''), fetches.request ->> 'date') as fund_date,
        {{ to_number('source_rows.constituents', is_json=true) }} as stated_components,
        {{ to_number('source_rows.etf_value', is_json=true) }} as total_valuation,
        {{ to_number('source_rows.port_value', is_json=true) }} as valuation,
        {{ to_number('source_rows.port_volume', is_json=true) }} as units,
        {{ unreadable_fields(numbers, 'source_rows', is_json=true) }} as unreadable_fields
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
),

final as (
    select
        fund_code as etf_code,
        {{ to_date8('fund_date') }} as base_date,
        nullif(trim(port_code), '') as component_code,
        nullif(trim(port_isin), '') as component_isin,
        nullif(trim(port_name), '') as component_name,
        units as shares,
        valuation as valuation_krw,
        -- the vendor has no weight: it follows from the two amounts
        100 * valuation / nullif(total_valuation, 0) as weight,
        total_valuation as total_valuation_krw,
        stated_components,
        unreadable_fields,
        _fetch_id as fetch_id,
        _row_number as row_number
    from numbered
)

select * from final
