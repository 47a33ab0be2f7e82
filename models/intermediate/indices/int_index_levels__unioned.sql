{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['index_daily']},
    indexes=[
        {'columns': ['trade_date']},
        {'columns': ['source', 'index_name', 'trade_date'], 'unique': true},
    ],
) }}

-- staging model: source, and the column of the seed that knows the source's word for an index
{% set relations = {
    'stg_infomax__index_hist': ['infomax', 'infomax_code'],
    'stg_krx__krx_dd_trd': ['krx', 'krx_open_api_name'],
    'stg_krx__kospi_dd_trd': ['krx', 'krx_open_api_name'],
    'stg_krx__kosdaq_dd_trd': ['krx', 'krx_open_api_name'],
} %}

{% set at_hand = and_in_answers_to_days_to_rebuild('rows_of_source.fetch_id') %}

with

cells as (
    select
        source,
        collection_date,
        fetch_id,
        fetched_at,
        is_current
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'index_daily'
        {{ and_in_days_to_rebuild('collection_date') }}
),

indices as (
    select
        index_name,
        infomax_code,
        krx_open_api_name
    from {{ ref('indices') }}
),

-- an index that the seed does not name stays in staging
unioned as (
    {% for relation, (source_name, name_column) in relations.items() %}
    select
        cells.source,
        indices.index_name,
        rows_of_source.trade_date,
        rows_of_source.open,
        rows_of_source.high,
        rows_of_source.low,
        rows_of_source.close,
        rows_of_source.volume,
        rows_of_source.trading_value,
        rows_of_source.market_cap,
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
    inner join indices on rows_of_source.vendor_index = indices.{{ name_column }}
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

compared as (
    select
        *,
        min(fetched_at) over source_rows as first_fetched_at,
        -- an array compares all values at once, missing ones included
        count(*) over answer_rows > 1 and (
            min(array[open, high, low, close, volume, trading_value, market_cap]) over answer_rows
            <> max(array[open, high, low, close, volume, trading_value, market_cap]) over answer_rows
        ) as has_conflicting_duplicate,
        row_number() over (
            partition by source, index_name, trade_date
            order by is_current desc, fetch_id desc, row_number
        ) as recency
    from unioned
    window
        source_rows as (partition by source, index_name, trade_date),
        answer_rows as (partition by source, index_name, trade_date, fetch_id)
),

-- a level of zero is none: indices that are computed once a day have no open, high and low
current_rows as (
    select
        source,
        index_name,
        trade_date,
        nullif(open, 0) as open,
        nullif(high, 0) as high,
        nullif(low, 0) as low,
        close,
        volume,
        trading_value,
        market_cap,
        unreadable_fields,
        has_conflicting_duplicate,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from compared
    where is_current and recency = 1
),

checked as (
    select
        source,
        index_name,
        -- quality.rejected_rows has one column for what a row is about
        null::varchar as stock_code,
        trade_date,
        open,
        high,
        low,
        close,
        volume,
        trading_value,
        market_cap,
        array_remove(
            array[
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case when close is null then 'VALUE_MISSING' end,
                case when least(open, high, low, volume, trading_value, market_cap) < 0 then 'VALUE_NEGATIVE' end,
                case
                    when
                        greatest(volume, trading_value, market_cap) > 1e18
                        or greatest(open, high, low, close) > 1e12
                        then 'VALUE_OUT_OF_RANGE'
                end,
                case when close <= 0 then 'CLOSE_NOT_POSITIVE' end,
                case
                    when
                        num_nonnulls(
                            nullif(volume % 1, 0), nullif(trading_value % 1, 0), nullif(market_cap % 1, 0)
                        ) > 0
                        then 'COUNT_NOT_WHOLE'
                end,
                case
                    when not (low <= least(open, close) and greatest(open, close) <= high) then 'PRICE_ORDER'
                end,
                -- what a share of the whole market costs lies between some thousand and some hundred thousand won
                case
                    when
                        volume > 0 and (trading_value > 1e6 * volume or trading_value < 1e2 * volume)
                        then 'VALUE_WRONG_UNIT'
                end,
                -- a day's trading is between a hundredth of a percent and a third of what a market is worth
                case
                    when
                        trading_value > 0 and (market_cap > 2e4 * trading_value or market_cap < 3 * trading_value)
                        then 'MARKET_CAP_WRONG_UNIT'
                end,
                case when has_conflicting_duplicate then 'CONFLICTING_DUPLICATE' end
            ],
            null
        ) as broken_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from current_rows
),

final as (
    select
        source,
        index_name,
        stock_code,
        trade_date,
        open,
        high,
        low,
        close,
        volume,
        trading_value,
        market_cap,
        array_to_string(
            {{ unreviewed('index_daily', 'broken_rules', 'trade_date', 'index_name') }}, ','
        ) as broken_rules,
        {{ lifted_rules('index_daily', 'broken_rules', 'trade_date', 'index_name') }} as reviewed_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from checked
)

select * from final
