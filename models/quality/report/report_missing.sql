-- What could be expected and is in no mart, by reason; the span is that of missing_cells.
with

missing_cells as (
    select * from {{ ref('missing_cells') }}
),

final as (
    select
        dataset,
        reason_code,
        is_problem,
        min(reason_ko) as reason_ko,
        min(reason_en) as reason_en,
        count(*) as cell_count,
        count(distinct stock_code) as stock_count,
        min(time) as oldest_date,
        max(time) as newest_date
    from missing_cells
    group by dataset, reason_code, is_problem
)

select * from final
