-- Filters on dataset and collection_date reach the index of raw.fetch_cells through the window functions,
-- because both are in every partition: keep it so.
with

fetch_cells as (
    select * from {{ ref('stg_ledger__fetch_cells') }}
),

fetches as (
    select
        fetch_id,
        fetched_at
    from {{ ref('stg_ledger__fetches') }}
),

successful as (
    select
        fetch_cells.*,
        max(fetch_cells.attempt_id) over (
            partition by
                fetch_cells.source, fetch_cells.dataset, fetch_cells.collection_date, fetch_cells.scope
        ) as newest_attempt_id
    from fetch_cells
    where fetch_cells.status in ('SUCCESS', 'UNCHANGED') and not fetch_cells.is_retracted
),

final as (
    select
        successful.source,
        successful.dataset,
        successful.scope,
        successful.collection_date,
        successful.fetch_id,
        fetches.fetched_at,
        successful.attempt_id,
        successful.ledger_id,
        successful.attempt_id = successful.newest_attempt_id as is_current
    from successful
    inner join fetches on successful.fetch_id = fetches.fetch_id
)

select * from final
