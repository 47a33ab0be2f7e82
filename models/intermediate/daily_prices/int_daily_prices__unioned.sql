{#-
    Of the joins of this model the planner expects a few hundred rows, whatever they give, because it takes the day of an answer and
    its number for independent: by merge joins it would put a year in order for each small table of markets.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'collection_date', 'datasets': ['ohlcv_daily']},
    sql_header='set local enable_mergejoin = off;',
    indexes=[
        {'columns': ['collection_date']},
        {'columns': ['trade_date']},
        {'columns': ['source', 'stock_code', 'trade_date'], 'unique': true},
    ],
) }}

with

-- every successful answer of the days at hand, superseded ones too: they say when a row was first carried
cells as (
    select
        source,
        collection_date,
        fetch_id,
        fetched_at,
        is_current,
        attempt_id = min(attempt_id) over (partition by source, collection_date, scope) as is_first_answer
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'ohlcv_daily'
        {{ and_in_days_to_rebuild('collection_date') }}
),

{{ daily_price_answers(['is_first_answer']) }},

compared as (
    select
        *,
        row_number() over source_rows as recency,
        min(fetched_at) over source_rows as first_fetched_at,
        bool_or(is_first_answer) over source_rows as is_told_at_first,
        min(values_hash) over answer_rows <> max(values_hash) over answer_rows as has_conflicting_duplicate
    from hashed
    window
        -- one for the order and for the whole of it, since every window is a pass over all rows
        source_rows as (
            partition by trade_date, stock_code, source
            order by is_current desc, fetch_id desc, row_number
            rows between unbounded preceding and unbounded following
        ),
        answer_rows as (partition by trade_date, stock_code, source, fetch_id)
),

-- a scope may have been asked for twice over (whole market and one name): the newest current answer speaks
current_rows as (
    select * from compared
    where is_current and (recency = 1 or not has_its_day)
),

{{ daily_price_rules('current_rows', ['is_told_at_first']) }}

select * from final
