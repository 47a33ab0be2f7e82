{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['etf_daily']},
    indexes=[
        {'columns': ['trade_date']},
        {'columns': ['source', 'stock_code', 'trade_date'], 'unique': true},
    ],
) }}

-- staging model: source
{% set relations = {
    'stg_krx__etf_bydd_trd': 'krx',
    'stg_krx__portal_etf_daily_prices': 'krx',
} %}
{% set figures = ['net_asset_value', 'net_assets', 'close_price', 'listed_shares', 'underlying_level'] %}
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
        dataset = 'etf_daily'
        {{ and_in_days_to_rebuild('collection_date') }}
),

unioned as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        rows_of_source.stock_code,
        rows_of_source.trade_date,
        {% for figure in figures %}
        rows_of_source.{{ figure }},
        {% endfor %}
        rows_of_source.underlying_index,
        rows_of_source.unreadable_fund_fields,
        rows_of_source.fetch_id,
        rows_of_source.row_number,
        cells.fetched_at,
        cells.is_current
    from cells
    inner join {{ ref(relation) }} as rows_of_source
        on
            cells.fetch_id = rows_of_source.fetch_id
            and cells.collection_date = rows_of_source.trade_date
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
            min(array[{{ figures | join(', ') }}]) over answer_rows
            <> max(array[{{ figures | join(', ') }}]) over answer_rows
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

current_rows as (
    select
        source,
        stock_code,
        trade_date,
        {% for figure in figures %}
        {{ figure }},
        {% endfor %}
        nullif(nullif(trim(underlying_index), ''), '-') as underlying_index,
        unreadable_fund_fields,
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
        *,
        array_remove(
            array[
                case when {{ is_no_stock_code('stock_code') }} then 'CODE_MALFORMED' end,
                case when unreadable_fund_fields <> '' then 'VALUE_UNREADABLE' end,
                case when net_asset_value is null then 'VALUE_MISSING' end,
                case when net_assets < 0 then 'VALUE_NEGATIVE' end,
                -- what no column of the mart could hold would stop the build for everybody
                case
                    when
                        greatest(net_asset_value, abs(underlying_level)) > 1e12
                        or net_assets > 1e18
                        or abs(close_price) > 2147483647
                        then 'VALUE_OUT_OF_RANGE'
                end,
                case when net_asset_value <= 0 then 'NAV_NOT_POSITIVE' end,
                case when net_assets % 1 <> 0 then 'COUNT_NOT_WHOLE' end,
                -- at times a fund trades a tenth away from its assets, and never at half or at twice of them
                case
                    when net_asset_value > 2 * close_price or 2 * net_asset_value < close_price then 'NAV_WRONG_UNIT'
                end,
                case
                    when
                        net_assets > 2 * net_asset_value * listed_shares
                        or 2 * net_assets < net_asset_value * listed_shares
                        then 'NET_ASSETS_WRONG_UNIT'
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
        {% for figure in figures %}
        {{ figure }},
        {% endfor %}
        underlying_index,
        array_to_string({{ unreviewed('etf_daily', 'broken_rules', 'trade_date', 'null') }}, ',') as broken_rules,
        {{ lifted_rules('etf_daily', 'broken_rules', 'trade_date', 'null') }} as reviewed_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from checked
)

select * from final
