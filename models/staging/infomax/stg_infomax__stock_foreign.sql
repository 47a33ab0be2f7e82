{% set numbers = ['listed_shares', 'frn_ownership_vol', 'frn_ownership_ratio', 'frn_limit_ratio'] %}

with

source_rows as (
    select * from {{ source('infomax', 'infomax__stock_foreign') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.code as stock_code,
        {{ to_date8('source_rows.date') }} as trade_date,
        {{ to_number('source_rows.frn_ownership_vol', is_json=true) }} as owned_shares,
        {{ to_number('source_rows.frn_ownership_ratio', is_json=true) }} as ownership_ratio,
        null::numeric as limit_shares,
        {{ to_number('source_rows.frn_limit_ratio', is_json=true) }} as limit_ratio,
        {{ to_number('source_rows.listed_shares', is_json=true) }} as listed_shares,
        {{ unreadable_fields(numbers, 'source_rows', is_json=true) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
