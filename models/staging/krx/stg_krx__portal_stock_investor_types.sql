with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat02303') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ krx_stock_code('fetches.request') }} as stock_code,
        {{ to_date8('source_rows.trd_dd') }} as trade_date,
        by_investor.vendor_investor as vendor_investor,
        case fetches.request ->> 'askBid' when '1' then 'SELL' when '2' then 'BUY' when '3' then 'NET' end as side,
        case fetches.request ->> 'trdVolVal' when '1' then 'VOLUME' when '2' then 'VALUE' end as measure,
        {{ to_number('by_investor.amount') }} as amount,
        case when {{ is_unparsable('by_investor.amount') }} then by_investor.field else '' end as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
    cross join lateral (
        values
            ('trdval1', '금융투자', source_rows.trdval1),
            ('trdval2', '보험', source_rows.trdval2),
            ('trdval3', '투신', source_rows.trdval3),
            ('trdval4', '사모', source_rows.trdval4),
            ('trdval5', '은행', source_rows.trdval5),
            ('trdval6', '기타금융', source_rows.trdval6),
            ('trdval7', '연기금 등', source_rows.trdval7),
            ('trdval8', '기타법인', source_rows.trdval8),
            ('trdval9', '개인', source_rows.trdval9),
            ('trdval10', '외국인', source_rows.trdval10),
            ('trdval11', '기타외국인', source_rows.trdval11),
            ('trdval_tot', '전체', source_rows.trdval_tot)
    ) as by_investor (field, vendor_investor, amount)
)

select * from final
