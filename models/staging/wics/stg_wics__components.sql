{% set numbers = ['apt_shr_cnt', 'mkt_val', 'wgt'] %}

with

source_rows as (
    select * from {{ source('wics', 'wics__get_index_componets') }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

-- the site sends JSON numbers, and 2.1e+07 is one
plain as (
    select
        source_rows.*,
        {% for number in numbers %}
        case
            when source_rows.{{ number }} ~ '^-?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]{1,2}$'
                then source_rows.{{ number }}::numeric::text
            else source_rows.{{ number }}
        end as plain_{{ number }}{{ ',' if not loop.last }}
        {% endfor %}
    from source_rows
),

final as (
    select
        plain.cmp_cd as stock_code,
        {{ to_date8("fetches.request ->> 'dt'") }} as list_date,
        {{ to_date8("fetches.request ->> 'dt'") }} as base_date,
        'WICS'::text as classification,
        plain.cmp_kor as stock_name,
        -- a code of the second level begins with the one of the first
        left(plain.idx_cd, 3) as large_sector_code,
        case when plain.sec_cd = left(plain.idx_cd, 3) then plain.sec_nm_kor end as large_sector_name,
        case when length(plain.idx_cd) > 3 then plain.idx_cd end as medium_sector_code,
        case
            when length(plain.idx_cd) > 3 then regexp_replace(plain.idx_nm_kor, '^WICS +', '')
        end as medium_sector_name,
        {{ to_number('plain.plain_apt_shr_cnt') }} as floating_shares,
        null::numeric as total_shares,
        null::numeric as floating_ratio,
        {{ to_number('plain.plain_mkt_val') }} * 1000000 as float_market_value,
        {{ to_number('plain.plain_wgt') }} as index_weight,
        {{ unreadable_fields(['plain_apt_shr_cnt', 'plain_mkt_val', 'plain_wgt'], 'plain') }} as unreadable_fields,
        plain._fetch_id as fetch_id,
        plain._row_number as row_number
    from plain
    inner join fetches on plain._fetch_id = fetches.fetch_id
)

select * from final
