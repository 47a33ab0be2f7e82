-- Rows of the lists that were refused as a whole
with

measured as (
    select * from {{ ref('int_stocks__lists_measured') }}
    where broken_rules <> ''
),

successful_cells as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at
    from {{ ref('int_collection__successful_cells') }}
    where dataset = 'stocks' and is_current
),

cells as (
    select successful_cells.*
    from successful_cells
    inner join measured
        on
            successful_cells.source = measured.source
            and successful_cells.scope = measured.scope
            and successful_cells.collection_date = measured.collection_date
),

listed as (
    {{ listed_shares('cells') }}
),

final as (
    select
        source,
        stock_code,
        collection_date as trade_date,
        'SHARES_WRONG_UNIT'::text as broken_rules,
        fetch_id,
        row_number,
        fetched_at
    from listed
)

select * from final
