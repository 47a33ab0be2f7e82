-- One row per source, stock and list day on which something about the stock changed, its disappearance included.
-- A list that repeats itself adds nothing, so this stays small however often a source is asked. When a list of an
-- older day arrives late, everything from that day on is made again: a version is only right next to its predecessor.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_from_day',
    meta={'day_column': 'list_date', 'datasets': ['stocks']},
    indexes=[{'columns': ['source', 'stock_code', 'list_date'], 'unique': true}],
) }}

{% set attributes = [
    'isin', 'stock_name', 'stock_name_en', 'vendor_market', 'board_section', 'vendor_security_type', 'stock_kind',
    'listing_date', 'listed_shares',
] %}

with

collected_cells as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'stocks'
        and is_current
        {{ and_from_first_day_to_rebuild('collection_date') }}
),

measured as (
    select * from {{ ref('int_stocks__lists_measured') }}
    where broken_rules <> ''
),

-- a list in a wrong unit is as if it had never come: the last good one stays
cells as (
    select collected_cells.*
    from collected_cells
    left join measured
        on
            collected_cells.source = measured.source
            and collected_cells.scope = measured.scope
            and collected_cells.collection_date = measured.collection_date
    where measured.source is null
),

unioned as (
    {{ listed_stocks('cells', attributes, ['fetched_at']) }}
),

-- answers cut by code prefix overlap: the vendor matches a prefix anywhere in the code
numbered as (
    select
        *,
        row_number() over (
            partition by source, scope, list_date, stock_code order by fetch_id, row_number
        ) as occurrence
    from unioned
    where stock_code ~ '^[0-9][0-9A-Z]{5}$'
),

list_days as (
    select
        source,
        scope,
        collection_date as list_date,
        lead(collection_date) over (partition by source, scope order by collection_date) as next_list_date
    from cells
    group by source, scope, collection_date
),

{% if is_incremental() %}
-- what was known before the days at hand
stored as (
    select distinct on (source, stock_code) *
    from {{ this }}
    where true {{ and_before_first_day_to_rebuild('list_date') }}
    order by source, stock_code, list_date desc
),

first_list_days as (
    select
        source,
        scope,
        min(list_date) as next_list_date
    from list_days
    group by source, scope
),

first_own_days as (
    select
        source,
        scope,
        stock_code,
        min(list_date) as next_own_date
    from numbered
    group by source, scope, stock_code
),
{% endif %}

next_fetches as (
    select
        source,
        scope,
        collection_date,
        max(fetch_id) as fetch_id,
        max(fetched_at) as fetched_at
    from cells
    group by source, scope, collection_date
),

present as (
    select
        numbered.source,
        numbered.scope,
        numbered.list_date,
        numbered.stock_code,
        {% for attribute in attributes %}
        numbered.{{ attribute }},
        {% endfor %}
        true as is_listed,
        numbered.fetch_id,
        numbered.row_number,
        numbered.fetched_at,
        list_days.next_list_date,
        lead(numbered.list_date) over (
            partition by numbered.source, numbered.scope, numbered.stock_code order by numbered.list_date
        ) as next_own_date,
        true as is_new
    from numbered
    inner join list_days
        on
            numbered.source = list_days.source
            and numbered.scope = list_days.scope
            and numbered.list_date = list_days.list_date
    where numbered.occurrence = 1
    {% if is_incremental() %}
    union all
    select
        stored.source,
        stored.scope,
        stored.list_date,
        stored.stock_code,
        {% for attribute in attributes %}
        stored.{{ attribute }},
        {% endfor %}
        stored.is_listed,
        stored.fetch_id,
        stored.row_number,
        stored.fetched_at,
        first_list_days.next_list_date,
        first_own_days.next_own_date,
        false as is_new
    from stored
    left join first_list_days
        on stored.source = first_list_days.source and stored.scope = first_list_days.scope
    left join first_own_days
        on
            stored.source = first_own_days.source
            and stored.scope = first_own_days.scope
            and stored.stock_code = first_own_days.stock_code
    {% endif %}
),

-- the next list of the same scope lacks the stock
vanished as (
    select
        present.source,
        present.scope,
        present.next_list_date as list_date,
        present.stock_code,
        {% for attribute in attributes %}
        present.{{ attribute }},
        {% endfor %}
        false as is_listed,
        next_fetches.fetch_id,
        null::integer as row_number,
        next_fetches.fetched_at,
        true as is_new
    from present
    inner join next_fetches
        on
            present.source = next_fetches.source
            and present.scope = next_fetches.scope
            and present.next_list_date = next_fetches.collection_date
    where
        present.is_listed
        and (present.next_own_date is null or present.next_own_date > present.next_list_date)
),

states as (
    select
        source, scope, list_date, stock_code,
        {% for attribute in attributes %}
        {{ attribute }},
        {% endfor %}
        is_listed, fetch_id, row_number, fetched_at, is_new
    from present
    union all
    select
        source, scope, list_date, stock_code,
        {% for attribute in attributes %}
        {{ attribute }},
        {% endfor %}
        is_listed, fetch_id, row_number, fetched_at, is_new
    from vanished
),

-- a stock that moves from one market's list to another's is listed, not gone
one_a_day as (
    select
        *,
        row_number() over (
            partition by source, stock_code, list_date order by is_new desc, is_listed desc, scope
        ) as preference,
        md5(concat_ws('|', is_listed, scope, {% for attribute in attributes -%}
            coalesce({{ attribute }}::text, '-'){{ ', ' if not loop.last }}
        {%- endfor %})) as values_hash
    from states
),

compared as (
    select
        *,
        lag(values_hash) over (partition by source, stock_code order by list_date, is_new) as previous_hash
    from one_a_day
    where preference = 1
),

final as (
    select
        source,
        stock_code,
        list_date,
        scope,
        {% for attribute in attributes %}
        {{ attribute }},
        {% endfor %}
        is_listed,
        fetch_id,
        row_number,
        fetched_at
    from compared
    where is_new and values_hash is distinct from previous_hash
)

select * from final
