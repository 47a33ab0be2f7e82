{#
    The broker's master files have one shape for three markets, two of them with sectors and index flags; each market is its
    own file and raw table.

    Example: stg_kis_master(source('kis', 'kis__konex_code'), 'KONEX', has_sectors=false)
#}
{% macro stg_kis_master(relation, market, has_sectors=true, is_kospi200='false', is_kosdaq150='false') -%}
with

source_rows as (
    select * from {{ relation }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        -- the broker writes a Q before the exchange's code of an ETN
        case
            when source_rows.group_code = 'EN' then ltrim(source_rows.short_code, 'Q') else source_rows.short_code
        end as stock_code,
        source_rows.isin,
        -- a dated file tells of its own day, any other of the day on which it was asked for
        coalesce(
            ((fetches.request ->> 'modified_at')::timestamptz at time zone 'Asia/Seoul')::date,
            {{ to_date8("fetches.request ->> 'session'") }}
        ) as list_date,
        {{ to_date8('source_rows.listing_date') }} as listing_date,
        source_rows.korean_name as stock_name,
        null::text as stock_name_en,
        '{{ market }}'::text as vendor_market,
        null::text as board_section,
        source_rows.group_code as vendor_security_type,
        case source_rows.preferred_code
            when '0' then '보통주' when '1' then '구형우선주' when '2' then '신형우선주'
        end as stock_kind,
        {% for level in ['large', 'medium', 'small'] -%}
        {{ 'nullif(source_rows.' ~ level ~ "_sector_code, '0000')" if has_sectors else 'null::text' }} as {{ level }}_sector_code,
        {% endfor -%}
        source_rows.ex_rights_code,
        source_rows.par_change_code,
        {{ to_number('source_rows.listed_shares_thousand') }} * 1000 as listed_shares,
        {{ to_number('source_rows.base_price') }} as base_price,
        nullif({{ to_number('source_rows.par_value') }}, 0) as par_value,
        {{ to_number('source_rows.previous_market_cap') }} * 100000000 as previous_market_cap,
        {{ is_kospi200 }} as is_kospi200,
        {{ is_kosdaq150 }} as is_kosdaq150,
        source_rows.krx300_yn = 'Y' as is_krx300,
        source_rows.trading_halt_yn = 'Y' as is_halted,
        source_rows.administrative_issue_yn = 'Y' as is_administrative,
        source_rows.liquidation_yn = 'Y' as is_in_liquidation,
        {{ unreadable_fields(
            ['listed_shares_thousand', 'base_price', 'par_value', 'previous_market_cap'], 'source_rows'
        ) }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
{%- endmacro %}
