-- Prefixes of the vendor's fields: one row of flows each. `etc` is other corporations and other organisations together
-- (etc_corp and etc_orgt), which the exchange counts as one type.
{% set investors = ['prsn', 'orgn', 'scrt', 'insu', 'ivtr', 'pe_fund', 'bank', 'mrbn', 'fund', 'etc', 'frgn'] %}
-- foreigners by registration have names of their own: ask is selling, bid is buying
{% set foreigners = ['frgn_reg', 'frgn_nreg'] %}
{% set amounts = ['buy_volume', 'sell_volume', 'buy_value', 'sell_value'] %}
{% set fields = {} %}
{% for prefix in investors %}
    {%- do fields.update({prefix: [
        prefix ~ '_shnu_vol', prefix ~ '_seln_vol', prefix ~ '_shnu_tr_pbmn', prefix ~ '_seln_tr_pbmn'
    ]}) -%}
{% endfor %}
{% for prefix in foreigners %}
    {%- do fields.update({prefix: [
        prefix ~ '_bidp_qty', prefix ~ '_askp_qty', prefix ~ '_bidp_pbmn', prefix ~ '_askp_pbmn'
    ]}) -%}
{% endfor %}

with

source_rows as (
    select * from {{ source('kis', 'kis__investor_trade_by_stock_daily') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        {{ code_of_note("fetches.request ->> 'FID_INPUT_ISCD'") }} as stock_code,
        {{ to_date8('source_rows.stck_bsop_date') }} as trade_date,
        flows.vendor_investor,
        {{ to_number('flows.buy_volume') }} as buy_volume,
        {{ to_number('flows.sell_volume') }} as sell_volume,
        -- million won
        {{ to_number('flows.buy_value') }} * 1000000 as buy_value,
        {{ to_number('flows.sell_value') }} * 1000000 as sell_value,
        {{ unreadable_fields(amounts, 'flows') }}
            as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
    cross join lateral (
        values
        {%- for prefix, names in fields.items() %}
        (
            '{{ prefix }}',
            {%- for name in names %}
            source_rows.{{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        ){{ ',' if not loop.last }}
        {%- endfor %}
    ) as flows (vendor_investor, buy_volume, sell_volume, buy_value, sell_value)
)

select * from final
