-- What stood until when: answers of a cell in their order. An attempt that found nothing new (UNCHANGED) points to the
-- answers that stood before it and is no answer of its own. Filters on dataset and collection_date reach the index of
-- raw.fetch_cells, because both are in every partition: keep it so.
with

successful_cells as (
    select * from {{ ref('int_collection__successful_cells') }}
),

answers as (
    select
        source,
        dataset,
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        min(attempt_id) as answer_id,
        bool_or(is_current) as is_current,
        -- a name, a market or everything: the three overlap
        case when scope ~ '^[0-9][0-9A-Z]{5}$' then 1 when scope = 'ALL' then 3 else 2 end as scope_kind
    from successful_cells
    group by source, dataset, scope, collection_date, fetch_id, fetched_at
),

ordered as (
    select
        *,
        dense_rank() over (cells order by answer_id) as answer_number,
        min(answer_id) over later_answers as replaced_by_answer_id,
        min(fetched_at) over later_answers as answer_replaced_at,
        min(answer_id) over cells <> max(answer_id) over cells as has_several_answers,
        min(scope_kind) over days <> max(scope_kind) over days as has_overlapping_scopes
    from answers
    window
        days as (partition by source, dataset, collection_date),
        cells as (partition by source, dataset, collection_date, scope),
        later_answers as (
            cells order by answer_id range between 1 following and unbounded following
        )
),

final as (
    select
        source,
        dataset,
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        answer_id,
        answer_number,
        replaced_by_answer_id,
        answer_replaced_at,
        is_current,
        has_several_answers or has_overlapping_scopes as may_be_superseded
    from ordered
)

select * from final
