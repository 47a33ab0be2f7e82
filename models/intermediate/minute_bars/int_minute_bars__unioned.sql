-- Every minute bar of every source, with the answer that carried it: where a number came from.
with

{{ plain_minute_bars(ref('int_minute_bars__plain_stock_days')) }}

doubtful_bars as (
    select
        source,
        stock_code,
        trade_date,
        minute_label,
        started_at,
        venue,
        session,
        open_price,
        high_price,
        low_price,
        close_price,
        volume,
        trading_value,
        broken_rules,
        reviewed_rules,
        warned_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at,
        is_provisional
    from {{ ref('int_minute_bars__doubtful') }}
    where not is_of_plain_day
),

final as (
    select * from plain_bars
    union all
    select * from doubtful_bars
)

select * from final
