{% set numbers = ['tdd_clsprc', 'forn_hd_qty', 'forn_shr_rt', 'forn_ord_lmt_qty', 'list_shrs', 'forn_lmt_exhst_rt'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat03701') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

-- on a holiday every figure is '-'
final as (
    select
        source_rows.isu_srt_cd as stock_code,
        {{ to_date8("fetches.request ->> 'trdDd'") }} as trade_date,
        source_rows.isu_abbrv as stock_name,
        {{ to_number('source_rows.tdd_clsprc') }} as close_price,
        {{ to_number('source_rows.forn_hd_qty') }} as owned_shares,
        {{ to_number('source_rows.forn_shr_rt') }} as ownership_ratio,
        {{ to_number('source_rows.forn_ord_lmt_qty') }} as limit_shares,
        round(
            100 * {{ to_number('source_rows.forn_ord_lmt_qty') }}
            / nullif({{ to_number('source_rows.list_shrs') }}, 0), 2
        ) as limit_ratio,
        {{ to_number('source_rows.forn_lmt_exhst_rt') }} as exhaustion_ratio,
        {{ to_number('source_rows.list_shrs') }} as listed_shares,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
    where source_rows.forn_hd_qty is distinct from '-'
)

select * from final
