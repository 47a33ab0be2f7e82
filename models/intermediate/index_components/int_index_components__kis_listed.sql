-- Members by the flags of the broker's master files: KOSPI200 by the KOSPI file, KOSDAQ150 by the KOSDAQ file
with

kospi as (
    select * from {{ ref('stg_kis__kospi_code') }}
),

kosdaq as (
    select * from {{ ref('stg_kis__kosdaq_code') }}
),

unioned as (
    select 'KOSPI200'::text as index_name, kospi.* from kospi
    where kospi.is_kospi200
    union all
    select 'KOSDAQ150'::text as index_name, kosdaq.* from kosdaq
    where kosdaq.is_kosdaq150
),

final as (
    select
        index_name,
        stock_code,
        isin,
        stock_name,
        list_date,
        fetch_id,
        row_number
    from unioned
)

select * from final
