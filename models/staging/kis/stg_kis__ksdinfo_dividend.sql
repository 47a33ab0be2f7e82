{% set numbers = ['per_sto_divi_amt', 'stk_divi_rate'] %}

with

source_rows as (
    select * from {{ source('kis', 'kis__ksdinfo_dividend') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        -- eight or nine characters stand for what is no share; a leading A is the market's prefix
        regexp_replace(trim(source_rows.sht_cd), '^A([0-9A-Z]{6})$', '\1') as stock_code,
        {{ to_date8('trim(source_rows.record_date)') }} as record_date,
        {{ to_date8('trim(source_rows.divi_pay_dt)') }} as payment_date,
        nullif(trim(source_rows.stk_kind), '') as share_kind,
        nullif(trim(source_rows.divi_kind), '') as dividend_kind,
        {{ to_number('source_rows.per_sto_divi_amt') }} as cash_dividend,
        {{ to_number('source_rows.stk_divi_rate') }} as stock_dividend_percent,
        concat_ws(
            ',',
            nullif({{ unreadable_fields(numbers, 'source_rows') }}, ''),
            nullif({{ unreadable_dates(['record_date', 'divi_pay_dt'], 'source_rows') }}, '')
        ) as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
