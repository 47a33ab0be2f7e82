with

source_rows as (
    select * from {{ source('kiwoom', 'kiwoom__ka10099') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note("regexp_replace(source_rows.code, '^A', '')") }} as stock_code,
        null::text as isin,
        nullif(trim(source_rows.name), '') as stock_name,
        null::text as stock_name_en,
        -- for funds and the like the vendor names the kind where it names the market of a stock
        case
            when source_rows.market_code in ('0', '10', '50') then source_rows.market_name
            when source_rows.market_code in ('8', '60', '6', '4', '5', '3') then '거래소'
        end as vendor_market,
        null::text as board_section,
        case source_rows.market_code
            when '0' then '주식'
            when '10' then '주식'
            when '50' then '주식'
            when '8' then 'ETF'
            when '60' then 'ETN'
            when '6' then '리츠'
            when '4' then '뮤추얼펀드'
            when '5' then '신주인수권증권'
            when '3' then 'ELW'
        end as vendor_security_type,
        null::text as stock_kind,
        {{ to_date8('source_rows.reg_day') }} as listing_date,
        {{ to_number('source_rows.list_count') }} as listed_shares,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
