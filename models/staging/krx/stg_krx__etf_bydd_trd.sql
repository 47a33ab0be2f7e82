{# what a bar cannot do without; a net asset value that cannot be read costs no bar, a level of its index no net
    asset value: that index is somebody else's #}
{% set numbers = [
    'tdd_clsprc', 'cmpprevdd_prc', 'fluc_rt', 'tdd_opnprc', 'tdd_hgprc', 'tdd_lwprc', 'acc_trdvol', 'acc_trdval',
    'mktcap', 'list_shrs',
] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__etf_bydd_trd') }}
),

fetches as (
    select fetch_id from {{ ref('stg_ledger__fetches') }}
),

final as (
    select
        source_rows.isu_cd as stock_code,
        {{ to_date8('source_rows.bas_dd') }} as trade_date,
        source_rows.isu_nm as stock_name,
        -- a market's ticks, limits and lists are those of stocks: no word for one
        null::text as vendor_market,
        null::text as board_section,
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
        {{ to_number('source_rows.nav') }} as net_asset_value,
        {{ to_number('source_rows.invstasst_netasst_totamt') }} as net_assets,
        source_rows.idx_ind_nm as underlying_index,
        {{ to_number('source_rows.obj_stkprc_idx') }} as underlying_level,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        {{ unreadable_fields(['nav', 'invstasst_netasst_totamt'], 'source_rows') }} as unreadable_fund_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
)

select * from final
