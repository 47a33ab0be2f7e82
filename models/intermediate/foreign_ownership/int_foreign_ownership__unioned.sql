{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['foreign_ownership_daily']},
    indexes=[
        {'columns': ['trade_date']},
        {'columns': ['source', 'stock_code', 'trade_date'], 'unique': true},
    ],
) }}

{% set relations = {
    'stg_infomax__stock_foreign': 'infomax',
    'stg_krx__portal_foreign_ownership': 'krx',
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
        dataset = 'foreign_ownership_daily'
        {{ and_in_days_to_rebuild('collection_date') }}
),

unioned as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        rows_of_source.stock_code,
        rows_of_source.trade_date,
        rows_of_source.owned_shares,
        rows_of_source.ownership_ratio,
        rows_of_source.limit_shares,
        rows_of_source.limit_ratio,
        rows_of_source.listed_shares,
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
            min(array[owned_shares, ownership_ratio, limit_ratio, listed_shares]) over answer_rows
            <> max(array[owned_shares, ownership_ratio, limit_ratio, listed_shares]) over answer_rows
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

checked as (
    select
        source,
        stock_code,
        trade_date,
        owned_shares,
        ownership_ratio,
        -- where a source tells the limit in shares, the ratio follows
        coalesce(limit_ratio, 100 * limit_shares / nullif(listed_shares, 0)) as limit_ratio,
        listed_shares,
        array_remove(
            array[
                case when {{ is_no_stock_code('stock_code') }} then 'CODE_MALFORMED' end,
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case when num_nulls(owned_shares, ownership_ratio) > 0 then 'VALUE_MISSING' end,
                case
                    when
                        least(owned_shares, ownership_ratio, limit_shares, limit_ratio, listed_shares) < 0
                        then 'VALUE_NEGATIVE'
                end,
                case
                    when
                        num_nonnulls(
                            nullif(owned_shares % 1, 0), nullif(limit_shares % 1, 0), nullif(listed_shares % 1, 0)
                        ) > 0
                        then 'COUNT_NOT_WHOLE'
                end,
                case
                    when
                        greatest(ownership_ratio, limit_ratio) > 100 or limit_shares > listed_shares
                        then 'RATIO_ABOVE_100'
                end,
                case when greatest(owned_shares, limit_shares, listed_shares) > 1e18 then 'VALUE_OUT_OF_RANGE' end,
                case when owned_shares > listed_shares then 'OWNED_ABOVE_LISTED' end,
                case when has_conflicting_duplicate then 'CONFLICTING_DUPLICATE' end
            ],
            null
        ) as broken_rules,
        -- two decimals of a percent, cut or rounded
        case
            when abs(100 * owned_shares / nullif(listed_shares, 0) - ownership_ratio) > 0.011 then 'RATIO_DISAGREES'
            else ''
        end as warned_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from compared
    where is_current and recency = 1
),

final as (
    select
        source,
        stock_code,
        trade_date,
        owned_shares,
        ownership_ratio,
        limit_ratio,
        listed_shares,
        array_to_string({{ unreviewed('foreign_ownership_daily', 'broken_rules', 'trade_date', 'null') }}, ',')
            as broken_rules,
        {{ lifted_rules('foreign_ownership_daily', 'broken_rules', 'trade_date', 'null') }} as reviewed_rules,
        warned_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from checked
)

select * from final
