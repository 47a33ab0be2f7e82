with

source_rows as (
    select * from {{ source('infomax', 'infomax__stock_code') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note('source_rows.code') }} as stock_code,
        source_rows.isin,
        nullif(trim(source_rows.kr_name), '') as stock_name,
        null::text as stock_name_en,
        source_rows.market as vendor_market,
        null::text as board_section,
        -- the label of the answer varies (주식, ST); what was asked for is the surer type
        coalesce(fetches.request ->> 'type', source_rows.equity_type) as vendor_security_type,
        null::text as stock_kind,
        {{ to_date8('source_rows.listed_date') }} as listing_date,
        null::numeric as listed_shares,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
