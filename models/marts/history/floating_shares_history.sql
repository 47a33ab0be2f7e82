{{ config(indexes=[{'columns': ['stock_code', 'valid_from']}]) }}

with

states as (
    select
        *,
        base_date as state_date
    from {{ ref('int_floating_shares__known') }}
),

versions as (
    {{ versions_of_states('states', ['stock_code'], [
        'total_shares', 'floating_shares', 'floating_ratio', 'source', 'first_fetched_at',
    ]) }}
),

final as (
    select
        {{ surrogate_id(['stock_code', 'valid_from', 'known_from']) }} as id,
        stock_code,
        valid_from,
        valid_to,
        is_current,
        total_shares,
        floating_shares,
        floating_ratio,
        known_from,
        known_to,
        known_basis,
        source,
        first_fetched_at as created_at
    from versions
)

select * from final
