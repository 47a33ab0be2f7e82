-- What foreigners and other foreigners traded of the whole market, by source and day. Foreigners with an investor's
-- registration trade the bulk; where the others do, the two types (9000 and 9001) are exchanged.
with

flows as not materialized (
    select
        source,
        trade_date,
        investor_code,
        buy_volume,
        sell_volume
    from {{ ref('int_investor_trading__unioned') }}
    where investor_code in ('FOREIGNER', 'OTHER_FOREIGNER') and not is_held_back
),

final as (
    select
        source,
        trade_date,
        count(*) as stock_count,
        sum(buy_volume + sell_volume) filter (where investor_code = 'FOREIGNER') as foreigner_volume,
        sum(buy_volume + sell_volume) filter (where investor_code = 'OTHER_FOREIGNER') as other_foreigner_volume
    from flows
    group by source, trade_date
)

select * from final
