{#
    The exchange's Open API has one shape for three markets; each market is its own endpoint and raw table.

    stg_krx_daily: daily trading information of one market, or of all funds, with what their shares are worth. A market's ticks,
    limits and lists are those of stocks: of a fund no market is told. A net asset value that cannot be read costs no bar, and
    a level of its index no net asset value: that index is somebody else's.
    stg_krx_base_info: base information of the listed stocks of one market.
    stg_krx_index_levels: daily levels of one family of indices.

    Example: stg_krx_daily(source('krx', 'krx__stk_bydd_trd'))
#}
{% macro stg_krx_daily(relation, of_funds=false) -%}
{%- set numbers = [
    'tdd_clsprc', 'cmpprevdd_prc', 'fluc_rt', 'tdd_opnprc', 'tdd_hgprc', 'tdd_lwprc', 'acc_trdvol', 'acc_trdval',
    'mktcap', 'list_shrs',
] -%}
with

source_rows as (
    select * from {{ relation }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.isu_cd as stock_code,
        {{ to_date8('source_rows.bas_dd') }} as trade_date,
        source_rows.isu_nm as stock_name,
        {{ 'null::text' if of_funds else 'source_rows.mkt_nm' }} as vendor_market,
        {{ 'null::text' if of_funds else "nullif(nullif(source_rows.sect_tp_nm, ''), '-')" }} as board_section,
        {{ to_number('source_rows.tdd_opnprc') }} as open_price,
        {{ to_number('source_rows.tdd_hgprc') }} as high_price,
        {{ to_number('source_rows.tdd_lwprc') }} as low_price,
        {{ to_number('source_rows.tdd_clsprc') }} as close_price,
        -- the change is signed and against the base price
        {{ to_number('source_rows.tdd_clsprc') }} - {{ to_number('source_rows.cmpprevdd_prc') }} as base_price,
        {{ to_number('source_rows.fluc_rt') }} as change_rate,
        {{ to_number('source_rows.acc_trdvol') }} as volume,
        {{ to_number('source_rows.acc_trdval') }} as trading_value,
        {{ to_number('source_rows.list_shrs') }} as listed_shares,
        {{ to_number('source_rows.mktcap') }} as vendor_market_cap,
        {%- if of_funds %}
        {{ to_number('source_rows.nav') }} as net_asset_value,
        {{ to_number('source_rows.invstasst_netasst_totamt') }} as net_assets,
        source_rows.idx_ind_nm as underlying_index,
        {{ to_number('source_rows.obj_stkprc_idx') }} as underlying_level,
        {{ unreadable_fields(['nav', 'invstasst_netasst_totamt'], 'source_rows') }} as unreadable_fund_fields,
        {%- endif %}
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
{%- endmacro %}


{% macro stg_krx_base_info(relation) -%}
with

source_rows as (
    select * from {{ relation }}
),

fetches as (
    select fetch_id, request from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.isu_srt_cd as stock_code,
        source_rows.isu_cd as isin,
        {{ to_date8("fetches.request ->> 'basDd'") }} as list_date,
        source_rows.isu_abbrv as stock_name,
        nullif(nullif(source_rows.isu_eng_nm, ''), '-') as stock_name_en,
        source_rows.mkt_tp_nm as vendor_market,
        nullif(nullif(source_rows.sect_tp_nm, ''), '-') as board_section,
        source_rows.secugrp_nm as vendor_security_type,
        source_rows.kind_stkcert_tp_nm as stock_kind,
        {{ to_date8('source_rows.list_dd') }} as listing_date,
        {{ to_number('source_rows.list_shrs') }} as listed_shares,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
{%- endmacro %}


{% macro stg_krx_index_levels(relation) -%}
{%- set numbers = [
    'clsprc_idx', 'opnprc_idx', 'hgprc_idx', 'lwprc_idx', 'acc_trdvol', 'acc_trdval', 'mktcap',
] -%}
with

source_rows as (
    select * from {{ relation }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.idx_nm as vendor_index,
        {{ to_date8('source_rows.bas_dd') }} as trade_date,
        {{ to_number('source_rows.opnprc_idx') }} as open,
        {{ to_number('source_rows.hgprc_idx') }} as high,
        {{ to_number('source_rows.lwprc_idx') }} as low,
        {{ to_number('source_rows.clsprc_idx') }} as close,
        {{ to_number('source_rows.acc_trdvol') }} as volume,
        {{ to_number('source_rows.acc_trdval') }} as trading_value,
        {{ to_number('source_rows.mktcap') }} as market_cap,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
{%- endmacro %}
