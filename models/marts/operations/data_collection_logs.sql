{{ config(
    materialized='incremental',
    incremental_strategy='append',
    indexes=[
        {'columns': ['collection_date']},
        {'columns': ['data_type', 'status']},
        {'columns': ['ledger_id']},
        {'columns': ['completed_at']},
    ],
) }}

with

-- the ledger only grows, and an attempt is written whole: what is new is taken in once and never touched again
fetch_cells as (
    select * from {{ ref('stg_ledger__fetch_cells') }}
    where true
    {{ and_new_in_ledger('ledger_id') }}
),

fetches as (
    select
        fetch_id,
        row_count
    from {{ ref('stg_ledger__fetches') }}
),

attempts as (
    select
        fetch_cells.dataset,
        fetch_cells.collection_date,
        fetch_cells.source,
        fetch_cells.scope,
        fetch_cells.attempt_id,
        fetch_cells.status,
        fetch_cells.error,
        fetch_cells.started_at,
        fetch_cells.completed_at,
        max(fetch_cells.ledger_id) as ledger_id,
        sum(fetches.row_count) filter (where fetch_cells.status in ('SUCCESS', 'UNCHANGED', 'PROVISIONAL'))
            as records_count
    from fetch_cells
    left join fetches on fetch_cells.fetch_id = fetches.fetch_id
    group by
        fetch_cells.dataset,
        fetch_cells.collection_date,
        fetch_cells.source,
        fetch_cells.scope,
        fetch_cells.attempt_id,
        fetch_cells.status,
        fetch_cells.error,
        fetch_cells.started_at,
        fetch_cells.completed_at
),

final as (
    select
        {{ surrogate_id(['source', 'dataset', 'scope', 'collection_date', 'attempt_id']) }} as id,
        dataset::varchar(50) as data_type,
        collection_date,
        source::varchar(20) as source,
        scope::varchar(20) as scope,
        status::varchar(20) as status,
        coalesce(records_count, 0)::bigint as records_count,
        error::text as error_message,
        started_at,
        completed_at,
        completed_at as created_at,
        ledger_id
    from attempts
)

select * from final
