-- The sector that was believed to be a stock's present one, by the time at which it was believed: one row per
-- classification, stock and span of knowledge time.
with

versions as (
    select * from {{ ref('int_stock_sectors__versioned') }}
),

answers as (
    select
        source,
        collection_date,
        fetch_id,
        min(known_at) as known_at,
        min(known_basis) as known_basis
    from {{ ref('int_collection__known_answers') }}
    where dataset = 'sectors'
    group by source, collection_date, fetch_id
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'sectors'
),

sector_codes as (
    select
        sector_id,
        classification,
        sector_code
    from {{ ref('sector_codes') }}
),

named as (
    select
        versions.classification,
        versions.stock_code,
        versions.source,
        versions.list_date,
        coalesce(small.sector_id, medium.sector_id, large.sector_id) as sector_id,
        answers.known_at,
        answers.known_basis,
        min(source_priorities.priority) over (
            partition by versions.classification, versions.stock_code order by answers.known_at
        ) as best_priority,
        source_priorities.priority
    from versions
    inner join answers
        on
            versions.source = answers.source
            and versions.collection_date = answers.collection_date
            and versions.fetch_id = answers.fetch_id
    left join source_priorities on versions.source = source_priorities.source
    {% for level in ['large', 'medium', 'small'] %}
    left join sector_codes as {{ level }}
        on
            versions.classification = {{ level }}.classification
            and versions.{{ level }}_sector_code = {{ level }}.sector_code
    {% endfor %}
),

compared as (
    select
        *,
        lag(sector_id) over (partition by classification, stock_code order by known_at, list_date) as previous_id
    from named
    -- once the better source has spoken of a stock, the other one is not heard
    where priority = best_priority and sector_id is not null
),

final as (
    select
        classification,
        stock_code,
        sector_id,
        max(list_date) over own_versions as state_date,
        known_at as known_from,
        lead(known_at) over own_versions as known_to,
        known_basis::varchar(10) as known_basis,
        source::varchar(20) as source
    from compared
    where sector_id is distinct from previous_id
    window own_versions as (partition by classification, stock_code order by known_at, list_date)
)

select * from final
