{{ rows_of_best_source(
    ref('int_index_levels__unioned'),
    ref('int_index_levels__gated'),
    'index_daily',
    'index_name',
    ['open', 'high', 'low', 'close', 'volume', 'trading_value', 'market_cap']
) }}

select * from final
