{% set investors = [
    'ind_invsr', 'frgnr_invsr', 'orgn', 'fnnc_invt', 'insrnc', 'invtrt', 'etc_fnnc', 'bank', 'penfnd_etc', 'samo_fund',
    'natn', 'etc_corp', 'natfor',
] %}

with

source_rows as (
    select * from {{ source('kiwoom', 'kiwoom__ka10059') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

asked as (
    select
        source_rows.*,
        fetches.request ->> 'stk_cd' as stock_code,
        case fetches.request ->> 'trde_tp' when '0' then 'NET' when '1' then 'BUY' when '2' then 'SELL' end as side,
        case fetches.request ->> 'amt_qty_tp' when '1' then 'VALUE' when '2' then 'VOLUME' end as measure,
        case
            -- always million won, whatever unit of shares is asked for
            when fetches.request ->> 'amt_qty_tp' = '1' then 1000000
            when fetches.request ->> 'unit_tp' = '1000' then 1000
            else 1
        end as unit
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
),

-- one row an investor type
unpivoted as (
    select
        asked.stock_code,
        asked.dt,
        asked.side,
        asked.measure,
        asked.unit,
        investors.vendor_investor,
        {{ kiwoom_one_sign('investors.amount') }} as amount,
        asked._fetch_id,
        asked._row_number
    from asked
    cross join lateral (
        values
        {% for investor in investors %}
        ('{{ investor }}', asked.{{ investor }}){{ ',' if not loop.last }}
        {% endfor %}
    ) as investors (vendor_investor, amount)
),

final as (
    select
        stock_code,
        {{ to_date8('dt') }} as trade_date,
        vendor_investor,
        side,
        measure,
        case
            -- what was bought and what was sold have a side, not a sign
            when side in ('BUY', 'SELL') then abs({{ to_number('amount') }} * unit)
            else {{ to_number('amount') }} * unit
        end as amount,
        {{ unreadable_fields(['amount'], 'unpivoted') }} as unreadable_fields,
        _fetch_id as fetch_id,
        _row_number as row_number
    from unpivoted
)

select * from final
