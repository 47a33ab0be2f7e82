{{ config(indexes=[{'columns': ['stock_code', 'valid_from']}, {'columns': ['market', 'valid_from']}]) }}

{% set attributes = [
    'stock_name', 'market', 'segment', 'security_type', 'isin', 'listing_date', 'listed_shares', 'source',
] %}

with

known as (
    select * from {{ ref('int_stocks__known') }}
),

-- when it began: on the listing day, where some list tells one and it does not lie in the stock's earlier life
placed as (
    select
        known.*,
        lag(is_active) over own_states as was_active,
        lag(state_date) over own_states as previous_state_date,
        coalesce(listing_date, lead(listing_date) over own_states, first_value(listing_date) over (
            partition by stock_code order by listing_date is null, known_from
        )) as own_listing_date
    from known
    window own_states as (partition by stock_code order by known_from)
),

states as (
    select
        stock_code,
        {{ attributes | join(', ') }},
        is_active,
        known_from,
        known_to,
        known_basis,
        case
            when
                is_active
                and not coalesce(was_active, false)
                and own_listing_date <= state_date
                and (previous_state_date is null or own_listing_date >= previous_state_date)
                then own_listing_date
            else state_date
        end as state_date
    from placed
),

versions as (
    {{ versions_of_states('states', ['stock_code'], attributes, is_there='followed.is_active') }}
),

-- known by its delisting alone: when it was listed is told with it
gone_unseen as (
    select
        stock_code,
        {{ attributes | join(', ') }},
        listing_date as valid_from,
        state_date as valid_to,
        false as is_current,
        known_from,
        known_to,
        known_basis
    from known
    where
        not is_active
        and listing_date < state_date
        and not exists (
            select 1
            from known as earlier
            where earlier.stock_code = known.stock_code and earlier.known_from < known.known_from
        )
),

unioned as (
    select * from versions
    union all
    select
        stock_code, {{ attributes | join(', ') }},
        valid_from, valid_to, is_current, known_from, known_to, known_basis
    from gone_unseen
),

final as (
    select
        {{ surrogate_id(['stock_code', 'valid_from', 'known_from']) }} as id,
        stock_code,
        valid_from,
        valid_to,
        is_current,
        stock_name,
        market,
        segment,
        security_type,
        isin,
        listing_date,
        listed_shares,
        known_from,
        known_to,
        known_basis,
        source
    from unioned
)

select * from final
