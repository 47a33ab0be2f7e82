{{ rows_of_best_source(
    ref('int_etf_values__unioned'),
    ref('int_etf_values__gated'),
    'etf_daily',
    'stock_code',
    ['net_asset_value', 'net_assets', 'close_price', 'underlying_index', 'underlying_level']
) }}

select * from final
