{# what a bar cannot do without; a net asset value that cannot be read costs no bar, a level of its index no net
    asset value: that index is somebody else's #}
{% set numbers = [
    'tdd_opnprc', 'tdd_hgprc', 'tdd_lwprc', 'tdd_clsprc', 'cmpprevdd_prc', 'fluc_rt', 'acc_trdvol',
    'acc_trdval', 'list_shrs', 'mktcap',
] %}
{% set fund_numbers = ['nav', 'invstasst_netasst_totamt'] %}

with

source_rows as (
    select * from {{ source('krx', 'krx__mdcstat04301') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

-- on a holiday every fund comes with '-' in place of prices
final as (
    select
        source_rows.isu_srt_cd as stock_code,
        {{ to_date8("fetches.request ->> 'trdDd'") }} as trade_date,
        source_rows.isu_cd as isin,
        source_rows.isu_abbrv as stock_name,
        -- a market's ticks, limits and lists are those of stocks: no word for one
        null::text as vendor_market,
        null::text as board_section,
        {{ to_number('source_rows.tdd_opnprc') }} as open_price,
        {{ to_number('source_rows.tdd_hgprc') }} as high_price,
        {{ to_number('source_rows.tdd_lwprc') }} as low_price,
        {{ to_number('source_rows.tdd_clsprc') }} as close_price,
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
        {{ to_number('source_rows.cmpprevdd_idx') }} as underlying_change,
        {{ to_number('source_rows.fluc_rt1') }} as underlying_change_rate,
        {{ unreadable_fields(numbers, 'source_rows') }} as unreadable_fields,
        {{ unreadable_fields(fund_numbers, 'source_rows') }} as unreadable_fund_fields,
        source_rows._fetch_id as fetch_id,
        source_rows._row_number as row_number
    from source_rows
    inner join fetches on source_rows._fetch_id = fetches.fetch_id
    where source_rows.tdd_clsprc is distinct from '-' or source_rows.acc_trdvol is distinct from '-'
)

select * from final
