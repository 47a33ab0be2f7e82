-- One row per source, classification, stock and collection day on which its sectors changed. A list that repeats itself
-- adds nothing. When a list of an older day arrives late, everything from that day on is made again.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_from_day',
    meta={'day_column': 'collection_date', 'datasets': ['sectors']},
    indexes=[{'columns': ['source', 'classification', 'stock_code', 'collection_date'], 'unique': true}],
) }}

{% set levels = ['large_sector_code', 'medium_sector_code', 'small_sector_code'] %}
{% set all_levels %}
concat_ws('|'{% for level in levels %}, coalesce({{ level }}, ''){% endfor %})
{%- endset %}

with

cells as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'sectors'
        and is_current
        {{ and_from_first_day_to_rebuild('collection_date') }}
),

unioned as (
    {{ listed_sectors('cells') }}
),

-- the deepest level speaks where a vendor names a stock twice: once in the sector, once in the group below it
ranked as (
    select
        *,
        row_number() over (
            partition by source, classification, stock_code, collection_date
            order by num_nonnulls({{ levels | join(', ') }}) desc, fetch_id desc, row_number
        ) as preference
    from unioned
),

states as (
    select
        source, classification, scope, collection_date, list_date, stock_code, {{ levels | join(', ') }},
        fetch_id, row_number, fetched_at, true as is_new
    from ranked
    where preference = 1
    {% if is_incremental() %}
    union all
    (
        select distinct on (source, classification, stock_code)
            source, classification, scope, collection_date, list_date, stock_code, {{ levels | join(', ') }},
            fetch_id, row_number, fetched_at, false as is_new
        from {{ this }}
        where true {{ and_before_first_day_to_rebuild('collection_date') }}
        order by source, classification, stock_code, collection_date desc
    )
    {% endif %}
),

compared as (
    select
        *,
        lag({{ all_levels }}) over (partition by source, classification, stock_code order by collection_date)
            as previous_levels
    from states
),

final as (
    select
        source, classification, scope, collection_date, list_date, stock_code, {{ levels | join(', ') }},
        fetch_id, row_number, fetched_at
    from compared
    where is_new and {{ all_levels }} is distinct from previous_levels
)

select * from final
