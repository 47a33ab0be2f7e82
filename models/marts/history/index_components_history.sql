{{ config(indexes=[{'columns': ['stock_code', 'valid_from']}, {'columns': ['index_name', 'valid_from', 'valid_to']}]) }}

with

spans as (
    select * from {{ ref('int_index_components__spans') }}
),

-- a member without an end until the end is known, a membership with its end from then on
versions as (
    select
        spans.*,
        told.valid_to,
        told.known_from,
        told.known_to,
        told.known_basis
    from spans
    cross join lateral (
        values
        (null::date, spans.entry_known_at, spans.exit_known_at, spans.entry_known_basis),
        (spans.end_date, spans.exit_known_at, null::timestamptz, spans.exit_known_basis)
    ) as told (valid_to, known_from, known_to, known_basis)
    where
        told.known_from is not null
        and (told.known_to is null or told.known_to > told.known_from)
),

final as (
    select
        {{ surrogate_id(['index_name', 'stock_code', 'effective_date', 'known_from']) }} as id,
        index_name::varchar(50) as index_name,
        stock_code::varchar(10) as stock_code,
        effective_date as valid_from,
        valid_to,
        valid_to is null and known_to is null as is_current,
        known_from,
        known_to,
        known_basis::varchar(10) as known_basis,
        announced_date,
        source::varchar(20) as source,
        fact_first_fetched_at as created_at
    from versions
)

select * from final
