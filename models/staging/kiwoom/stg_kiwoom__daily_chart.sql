{% set numbers = ['cur_prc', 'open_pric', 'high_pric', 'low_pric', 'trde_qty', 'trde_prica'] %}

with

source_rows as (
    select * from {{ source('kiwoom', 'kiwoom__ka10081') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

one_sign as (
    select
        dt,
        {% for number in numbers %}
        {{ kiwoom_one_sign(number) }} as {{ number }},
        {% endfor %}
        _fetch_id,
        _row_number
    from source_rows
),

final as (
    select
        fetches.request ->> 'stk_cd' as stock_code,
        {{ to_date8('one_sign.dt') }} as trade_date,
        null::text as stock_name,
        null::text as vendor_market,
        null::text as board_section,
        -- the sign of a price is the direction of its change
        abs({{ to_number('one_sign.open_pric') }}) as open_price,
        abs({{ to_number('one_sign.high_pric') }}) as high_price,
        abs({{ to_number('one_sign.low_pric') }}) as low_price,
        abs({{ to_number('one_sign.cur_prc') }}) as close_price,
        -- the change is against the previous close, which is not the base price on an ex-date
        null::numeric as base_price,
        null::numeric as change_rate,
        {{ to_number('one_sign.trde_qty') }} as volume,
        {{ to_number('one_sign.trde_prica') }} * 1000000 as trading_value,
        null::numeric as listed_shares,
        null::numeric as vendor_market_cap,
        {{ unreadable_fields(numbers, 'one_sign') }} as unreadable_fields,
        one_sign._fetch_id as fetch_id,
        one_sign._row_number as row_number
    from one_sign
    inner join fetches on one_sign._fetch_id = fetches.fetch_id
)

select * from final
