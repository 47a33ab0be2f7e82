with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat04902') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

-- the codes of side and measure are this family's own: 1 and 1 are won net, as the sums over a span show
final as (
    select
        {{ krx_stock_code('fetches.request') }} as stock_code,
        fetches.request ->> 'isuCd' as isin,
        {{ to_date8('source_rows.trd_dd') }} as trade_date,
        by_investor.vendor_investor as vendor_investor,
        case fetches.request ->> 'inqCondTpCd2' when '1' then 'NET' end as side,
        case fetches.request ->> 'inqCondTpCd1' when '1' then 'VALUE' when '2' then 'VOLUME' end as measure,
        {{ to_number('by_investor.amount') }} as amount,
        case when {{ is_unparsable('by_investor.amount') }} then by_investor.field else '' end as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
    cross join lateral (
        values
            ('num_itm_val21', '기관합계', source_rows.num_itm_val21),
            ('num_itm_val22', '기타법인', source_rows.num_itm_val22),
            ('num_itm_val23', '개인', source_rows.num_itm_val23),
            ('num_itm_val24', '외국인합계', source_rows.num_itm_val24),
            ('num_itm_val25', '전체', source_rows.num_itm_val25)
    ) as by_investor (field, vendor_investor, amount)
)

select * from final
