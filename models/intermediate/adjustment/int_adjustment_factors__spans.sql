-- How far back which product of later factors holds.
{{ config(indexes=[{'columns': ['stock_code', 'valid_before']}], materialized='table') }}

with

spans as (
    {{ adjustment_spans(ref('adjustment_factors'), "date 'infinity'", 'factor') }}
),

final as (
    select
        stock_code,
        valid_from,
        valid_before,
        adjustment_factor
    from spans
)

select * from final
