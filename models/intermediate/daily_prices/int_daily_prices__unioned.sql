{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['ohlcv_daily']},
    indexes=[
        {'columns': ['trade_date']},
        {'columns': ['source', 'stock_code', 'trade_date'], 'unique': true},
    ],
) }}

{% set relations = {
    'stg_infomax__stock_info': 'infomax',
    'stg_infomax__stock_hist': 'infomax',
    'stg_krx__stk_bydd_trd': 'krx',
    'stg_krx__ksq_bydd_trd': 'krx',
    'stg_krx__knx_bydd_trd': 'krx',
    'stg_krx__portal_daily_prices': 'krx',
    'stg_krx__portal_price_history': 'krx',
    'stg_marcap__daily': 'marcap',
} %}

with

-- every successful answer of the days at hand, superseded ones too: they say when a row was first carried
cells as (
    select
        source,
        collection_date,
        fetch_id,
        fetched_at,
        is_current
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'ohlcv_daily'
        {{ and_in_days_to_rebuild('collection_date') }}
),

unioned as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        rows_of_source.stock_code,
        rows_of_source.trade_date,
        rows_of_source.stock_name,
        rows_of_source.vendor_market,
        rows_of_source.board_section,
        rows_of_source.open_price,
        rows_of_source.high_price,
        rows_of_source.low_price,
        rows_of_source.close_price,
        rows_of_source.base_price,
        rows_of_source.volume,
        rows_of_source.trading_value,
        rows_of_source.listed_shares,
        rows_of_source.vendor_market_cap,
        rows_of_source.unreadable_fields,
        rows_of_source.fetch_id,
        rows_of_source.row_number,
        cells.fetched_at,
        cells.is_current
    from cells
    inner join {{ ref(relation) }} as rows_of_source
        on
            cells.fetch_id = rows_of_source.fetch_id
            and cells.collection_date = rows_of_source.trade_date
    where cells.source = '{{ source_name }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

compared as (
    select
        *,
        min(fetched_at) over source_rows as first_fetched_at,
        count(*) over answer_rows > 1 and (
            min(close_price) over answer_rows is distinct from max(close_price) over answer_rows
            or min(volume) over answer_rows is distinct from max(volume) over answer_rows
            or min(trading_value) over answer_rows is distinct from max(trading_value) over answer_rows
        ) as has_conflicting_duplicate,
        row_number() over (
            partition by source, stock_code, trade_date
            order by is_current desc, fetch_id desc, row_number
        ) as recency
    from unioned
    window
        source_rows as (partition by source, stock_code, trade_date),
        answer_rows as (partition by source, stock_code, trade_date, fetch_id)
),

-- a scope may have been asked for twice over (whole market and one name): the newest current answer speaks
current_rows as (
    select
        *,
        volume = 0 as has_no_trades,
        -- O, H and L are all zero although shares changed hands: only off-hours trading took place
        volume > 0 and open_price = 0 and high_price = 0 and low_price = 0 as has_no_regular_trades
    from compared
    where is_current and recency = 1
),

checked as (
    select
        *,
        array_remove(
            array[
                case when stock_code !~ '^[0-9][0-9A-Z]{5}$' then 'CODE_MALFORMED' end,
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case
                    when num_nulls(close_price, volume, trading_value, listed_shares) > 0
                        then 'VALUE_MISSING'
                end,
                case
                    when
                        least(open_price, high_price, low_price, volume, trading_value, listed_shares) < 0
                        then 'VALUE_NEGATIVE'
                end,
                case when close_price <= 0 then 'CLOSE_NOT_POSITIVE' end,
                case
                    when
                        num_nonnulls(
                            nullif(open_price % 1, 0), nullif(high_price % 1, 0), nullif(low_price % 1, 0),
                            nullif(close_price % 1, 0), nullif(base_price % 1, 0)
                        ) > 0
                        then 'PRICE_NOT_WHOLE'
                end,
                case
                    when
                        num_nonnulls(
                            nullif(volume % 1, 0), nullif(trading_value % 1, 0), nullif(listed_shares % 1, 0)
                        ) > 0
                        then 'COUNT_NOT_WHOLE'
                end,
                case
                    when
                        not has_no_trades
                        and not has_no_regular_trades
                        and least(open_price, high_price, low_price) = 0
                        then 'PRICE_ZERO'
                end,
                case
                    when
                        not has_no_trades
                        and not has_no_regular_trades
                        and not (
                            low_price <= least(open_price, close_price)
                            and greatest(open_price, close_price) <= high_price
                        )
                        then 'PRICE_ORDER'
                end,
                case when has_conflicting_duplicate then 'CONFLICTING_DUPLICATE' end
            ],
            null
        ) as broken_rules
    from current_rows
),

final as (
    select
        source,
        stock_code,
        trade_date,
        stock_name,
        vendor_market,
        board_section,
        case when not has_no_trades and not has_no_regular_trades then open_price end as open_price,
        case when not has_no_trades and not has_no_regular_trades then high_price end as high_price,
        case when not has_no_trades and not has_no_regular_trades then low_price end as low_price,
        close_price,
        base_price,
        volume,
        trading_value,
        listed_shares,
        vendor_market_cap,
        -- a day with trades was no suspension; a day without may be either, and these sources do not say
        case when volume > 0 then false end as is_suspended,
        -- names of the rules that the row breaks, separated by commas; empty for a good row
        array_to_string(broken_rules, ',') as broken_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from checked
)

select * from final
