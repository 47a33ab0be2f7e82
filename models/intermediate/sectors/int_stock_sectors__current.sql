-- Sectors of every stock by the newest list of each scope, one row per classification and stock
{% set levels = ['large_sector_code', 'medium_sector_code', 'small_sector_code'] %}

with

dated_cells as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        max(collection_date) over (partition by source, scope) as newest_date
    from {{ ref('int_collection__successful_cells') }}
    where dataset = 'sectors' and is_current
),

versions as (
    select * from {{ ref('int_stock_sectors__versioned') }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'sectors'
),

cells as (
    select * from dated_cells
    where collection_date = newest_date
),

unioned as (
    {{ listed_sectors('cells') }}
),

first_versions as (
    select
        classification,
        stock_code,
        min(fetched_at) as first_fetched_at
    from versions
    group by classification, stock_code
),

ranked as (
    select
        unioned.*,
        row_number() over (
            partition by unioned.classification, unioned.stock_code
            order by
                source_priorities.priority, num_nonnulls({{ levels | join(', ') }}) desc,
                unioned.collection_date desc, unioned.fetch_id desc, unioned.row_number
        ) as preference
    from unioned
    left join source_priorities on unioned.source = source_priorities.source
),

final as (
    select
        ranked.source,
        ranked.classification,
        ranked.stock_code,
        ranked.list_date,
        {% for level in levels %}
        ranked.{{ level }},
        {% endfor %}
        coalesce(first_versions.first_fetched_at, ranked.fetched_at) as first_fetched_at,
        ranked.fetched_at,
        ranked.fetch_id,
        ranked.row_number
    from ranked
    left join first_versions
        on
            ranked.classification = first_versions.classification
            and ranked.stock_code = first_versions.stock_code
    where ranked.preference = 1
)

select * from final
