-- Rows that a later answer of the same source changed or dropped, as they were. With int_daily_prices__unioned, that
-- holds what stands now, it says what was known at any moment. A day with one answer has no row here and costs a look
-- at the ledger.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'collection_date', 'datasets': ['ohlcv_daily']},
    indexes=[
        {'columns': ['collection_date']},
        {'columns': ['source', 'stock_code', 'trade_date', 'answer_number'], 'unique': true},
    ],
) }}

{% set key = ['source', 'stock_code', 'trade_date'] %}
{% set answer_columns = ['answer_id', 'replaced_by_answer_id', 'answer_replaced_at', 'is_first_answer'] %}

with

cells as (
    select
        source,
        collection_date,
        fetch_id,
        fetched_at,
        answer_id,
        replaced_by_answer_id,
        answer_replaced_at,
        answer_number = 1 as is_first_answer,
        is_current
    from {{ ref('int_collection__answers') }}
    where
        dataset = 'ohlcv_daily'
        and may_be_superseded
        {{ and_in_days_to_rebuild('collection_date') }}
),

{{ daily_price_answers(answer_columns) }},

-- what a row says beside its prices is part of what was known: the name, the market
compared as (
    select
        *,
        min(fetched_at) over source_rows as first_fetched_at,
        bool_or(is_first_answer) over source_rows as is_told_at_first,
        min(values_hash) over answer_rows <> max(values_hash) over answer_rows as has_conflicting_duplicate,
        hash_record_extended(
            row(
                values_hash, stock_name, vendor_market, board_section, change_rate, vendor_market_cap, unreadable_fields
            ),
            0
        ) as record_hash
    from hashed
    where has_its_day
    window
        source_rows as (partition by source, stock_code, trade_date),
        answer_rows as (partition by source, stock_code, trade_date, fetch_id)
),

{{ answer_sequence('compared', key, 'record_hash') }},

-- answers that repeat a row are one version of it
numbered as (
    select
        *,
        is_first or was_dropped_before or record_before <> record_hash as begins_version,
        count(*) filter (where is_first or was_dropped_before or record_before <> record_hash)
            over (partition by {{ key | join(', ') }} order by answer_id) as answer_number
    from sequenced
),

versions as (
    select
        *,
        last_value(stood_until) over rows_of_version as replaced_at,
        last_value(is_dropped) over rows_of_version as was_dropped
    from numbered
    window rows_of_version as (
        partition by {{ key | join(', ') }}, answer_number
        order by answer_id
        rows between unbounded preceding and unbounded following
    )
),

superseded_rows as (
    select * from versions
    where begins_version and replaced_at is not null
),

{{ daily_price_rules('superseded_rows', ['answer_number', 'replaced_at', 'was_dropped', 'is_told_at_first']) }}

select * from final
