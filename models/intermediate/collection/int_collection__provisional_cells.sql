-- What was told of a session while it went on: looks at a cell before its final answer. All of them together are what
-- is known of the day until then; from the final answer on they say no more than when something was first told.
-- Filters on dataset and collection_date reach the index of raw.fetch_cells, because both are in the partition: keep
-- it so.
with

fetch_cells as (
    select * from {{ ref('stg_ledger__fetch_cells') }}
    where status in ('SUCCESS', 'UNCHANGED', 'PROVISIONAL')
),

fetches as (
    select
        fetch_id,
        fetched_at
    from {{ ref('stg_ledger__fetches') }}
),

judged as (
    select
        *,
        bool_or(status <> 'PROVISIONAL') over (
            partition by source, dataset, collection_date, scope
        ) as has_final_answer
    from fetch_cells
),

final as (
    select
        judged.source,
        judged.dataset,
        judged.scope,
        judged.collection_date,
        judged.fetch_id,
        fetches.fetched_at,
        judged.attempt_id,
        judged.published_at as told_until,
        not judged.has_final_answer as is_current
    from judged
    inner join fetches on judged.fetch_id = fetches.fetch_id
    where judged.status = 'PROVISIONAL'
)

select * from final
