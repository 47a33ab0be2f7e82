{% set numbers = ['inter_bf_face_amt', 'inter_af_face_amt'] %}

with

source_rows as (
    select * from {{ source('kis', 'kis__ksdinfo_rev_split') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        -- eight or nine characters stand for what is no share; a leading A is the market's prefix
        regexp_replace(trim(source_rows.sht_cd), '^A([0-9A-Z]{6})$', '\1') as stock_code,
        {{ to_date8('trim(source_rows.record_date)') }} as record_date,
        {{ to_date8('trim(source_rows.list_dt)') }} as listing_date,
        {{ to_date8("trim(split_part(source_rows.td_stop_dt, '~', 1))") }} as halted_from,
        {{ to_date8("trim(split_part(source_rows.td_stop_dt, '~', 2))") }} as halted_to,
        {{ to_number('source_rows.inter_bf_face_amt') }} as par_before,
        {{ to_number('source_rows.inter_af_face_amt') }} as par_after,
        concat_ws(
            ',',
            nullif({{ unreadable_fields(numbers, 'source_rows') }}, ''),
            nullif({{ unreadable_dates(['record_date', 'list_dt'], 'source_rows') }}, '')
        ) as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
