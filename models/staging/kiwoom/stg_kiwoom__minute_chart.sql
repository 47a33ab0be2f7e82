{% set numbers = ['cur_prc', 'open_pric', 'high_pric', 'low_pric', 'trde_qty'] %}

with

source_rows as (
    select * from {{ source('kiwoom', 'kiwoom__ka10080') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

one_sign as (
    select
        cntr_tm,
        {% for number in numbers %}
        {{ kiwoom_one_sign(number) }} as {{ number }},
        {% endfor %}
        acc_trde_qty,
        _fetch_id,
        _row_number
    from source_rows
),

dated as (
    select
        *,
        {{ to_date8('left(cntr_tm, 8)') }} as trade_date,
        case
            when cntr_tm ~ '^[0-9]{8}([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$' then substr(cntr_tm, 9)::time
        end as trade_time
    from one_sign
),

final as (
    select
        fetches.request ->> 'stk_cd' as stock_code,
        dated.trade_date,
        dated.cntr_tm as minute_label,
        -- the label is the start of the minute, in KST
        (dated.trade_date + dated.trade_time) at time zone 'Asia/Seoul' as started_at,
        -- the sign of a price is the direction of its change
        abs({{ to_number('dated.open_pric') }}) as open_price,
        abs({{ to_number('dated.high_pric') }}) as high_price,
        abs({{ to_number('dated.low_pric') }}) as low_price,
        abs({{ to_number('dated.cur_prc') }}) as close_price,
        {{ to_number('dated.trde_qty') }} as volume,
        -- the vendor tells no value by the minute
        null::numeric as trading_value,
        null::numeric as cumulative_value,
        -- no field of the bar itself: one that cannot be read tells nothing, and rejects nothing
        nullif({{ to_number('dated.acc_trde_qty') }}, 0) as cumulative_volume,
        {{ kiwoom_venue('fetches.request') }} as venue,
        {{ kiwoom_base_date('fetches.request') }} as base_date,
        {{ unreadable_fields(numbers, 'dated') }} as unreadable_fields,
        dated._fetch_id as fetch_id,
        dated._row_number as row_number
    from dated
    inner join fetches on dated._fetch_id = fetches.fetch_id
)

select * from final
