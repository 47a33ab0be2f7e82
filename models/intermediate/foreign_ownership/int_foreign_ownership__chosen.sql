{{ rows_of_best_source(
    ref('int_foreign_ownership__unioned'),
    ref('int_foreign_ownership__gated'),
    'foreign_ownership_daily',
    'stock_code',
    ['owned_shares', 'ownership_ratio', 'limit_ratio', 'listed_shares']
) }}

select * from final
