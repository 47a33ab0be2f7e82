-- When every answer became known. The first answer about a past day that the vendor dates says what could be known on
-- that day, however late it was collected; a later one about the same day is a correction, and known from the moment it
-- came. What a vendor tells of the present only is known from the moment we asked.
-- Filters on dataset and collection_date reach the index of raw.fetch_cells, because both are in every partition.
with

fetch_cells as (
    select * from {{ ref('stg_ledger__fetch_cells') }}
    where status in ('SUCCESS', 'UNCHANGED') and not is_retracted
),

fetches as (
    select
        fetch_id,
        fetched_at,
        -- a file with a date of its own is published then
        (request ->> 'modified_at')::timestamptz as modified_at
    from {{ ref('stg_ledger__fetches') }}
),

timed as (
    select
        fetch_cells.*,
        fetches.fetched_at,
        max(case when fetch_cells.status = 'SUCCESS' then fetches.fetched_at else fetch_cells.completed_at end)
            over attempts as observed_at,
        max(coalesce(fetch_cells.published_at, fetches.modified_at)) over attempts as cell_published_at,
        dense_rank() over (
            partition by fetch_cells.source, fetch_cells.dataset, fetch_cells.collection_date, fetch_cells.scope
            order by fetch_cells.attempt_id
        ) as answer_number
    from fetch_cells
    inner join fetches on fetch_cells.fetch_id = fetches.fetch_id
    window attempts as (
        partition by
            fetch_cells.source, fetch_cells.dataset, fetch_cells.collection_date, fetch_cells.scope,
            fetch_cells.attempt_id
    )
),

judged as (
    select
        *,
        answer_number = 1 and coalesce(cell_published_at <= observed_at, false) as is_as_published
    from timed
),

final as (
    select
        source,
        dataset,
        scope,
        collection_date,
        attempt_id,
        answer_number,
        fetch_id,
        fetched_at,
        case when is_as_published then cell_published_at else observed_at end as known_at,
        -- the day on whose evening it was known; never before the day that it speaks of
        greatest(
            (case when is_as_published then cell_published_at else observed_at end at time zone 'Asia/Seoul')::date,
            collection_date
        ) as known_date,
        case when is_as_published then 'PUBLISHED' else 'OBSERVED' end as known_basis
    from judged
)

select * from final
