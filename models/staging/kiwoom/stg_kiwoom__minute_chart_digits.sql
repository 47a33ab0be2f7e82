-- The rows of stg_kiwoom__minute_chart as sent, with whether a cast is all that it takes to read them. A price with one
-- sign or none is plain: the sign is the direction of its change.
{% set digits = {'open_pric': 9, 'high_pric': 9, 'low_pric': 9, 'cur_prc': 9, 'trde_qty': 9, 'acc_trde_qty': 15} %}
{% set prices = {
    'open_pric': 'open_price', 'high_pric': 'high_price', 'low_pric': 'low_price', 'cur_prc': 'close_price',
} %}

with

source_rows as (
    select * from {{ source('kiwoom', 'kiwoom__ka10080') }}
),

unsigned as (
    select
        cntr_tm,
        {% for field in prices %}
        regexp_replace({{ field }}, '^[+-]', '') as {{ field }},
        {% endfor %}
        trde_qty,
        -- not every answer has it
        coalesce(nullif(acc_trde_qty, ''), '0') as acc_trde_qty,
        _fetch_id,
        _row_number
    from source_rows
),

final as (
    select
        left(unsigned.cntr_tm, 8) as bar_date_text,
        unsigned.cntr_tm as minute_label,
        substr(unsigned.cntr_tm, 9) as clock,
        {% for field, name in prices.items() %}
        unsigned.{{ field }} as {{ name }},
        {% endfor %}
        unsigned.trde_qty as volume,
        nullif(unsigned.acc_trde_qty, '0') as cumulative_volume,
        {{ are_plain_digits(digits, 'unsigned', 'substr(unsigned.cntr_tm, 9)') }} as is_plain,
        unsigned._fetch_id as fetch_id,
        unsigned._row_number as row_number
    from unsigned
)

select * from final
