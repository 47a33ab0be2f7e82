with

source_rows as (
    select * from {{ source('kis', 'kis__chk_holiday') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ to_date8('source_rows.bass_dt') }} as calendar_date,
        -- an answer lists many days, known at the time of the look
        source_rows.opnd_yn = 'Y' as is_open,
        source_rows.bzdy_yn = 'Y' as is_business_day,
        source_rows.sttl_day_yn = 'Y' as is_settlement_day,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
