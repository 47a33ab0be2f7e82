-- One row per source, index, stock and list day on which the list's word about it changed: it appears, or the list
-- lacks it. Days without a list, or with one that a gate holds, say nothing. When a list of an older day arrives late,
-- everything from that day on is made again.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_from_day',
    meta={'day_column': 'list_date', 'datasets': ['index_components']},
    indexes=[{'columns': ['source', 'index_name', 'stock_code', 'list_date'], 'unique': true}],
) }}

with

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(ref('int_index_members__gated')) }}
),

members as (
    select * from {{ ref('int_index_members__unioned') }}
    where
        broken_rules = ''
        and (source, trade_date) not in (select held.source, held.trade_date from held)
        {{ and_from_first_day_to_rebuild('trade_date') }}
),

new_lists as (
    select
        source,
        index_name,
        trade_date as list_date,
        max(fetch_id) as fetch_id,
        max(fetched_at) as fetched_at,
        min(first_fetched_at) as first_fetched_at
    from members
    group by source, index_name, trade_date
),

{% if is_incremental() %}
-- what the last list before the days at hand said; it stands on no day of its own
stored as (
    select distinct on (source, index_name, stock_code) *
    from {{ this }}
    where true {{ and_before_first_day_to_rebuild('list_date') }}
    order by source, index_name, stock_code, list_date desc
),
{% endif %}

lists as (
    select
        source,
        index_name,
        list_date
    from new_lists
    {% if is_incremental() %}
    union all
    select
        source,
        index_name,
        '-infinity'::date as list_date
    from stored
    group by source, index_name
    {% endif %}
),

neighbours as (
    select
        source,
        index_name,
        list_date,
        lag(list_date) over (partition by source, index_name order by list_date) as previous_list_date,
        lead(list_date) over (partition by source, index_name order by list_date) as next_list_date
    from lists
),

listed as (
    select
        source,
        index_name,
        stock_code,
        trade_date as list_date,
        stock_name,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from members
    {% if is_incremental() %}
    union all
    select
        source,
        index_name,
        stock_code,
        '-infinity'::date as list_date,
        stock_name,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from stored
    where is_member
    {% endif %}
),

placed as (
    select
        listed.*,
        neighbours.previous_list_date,
        neighbours.next_list_date,
        lag(listed.list_date) over own_lists as previous_own_date,
        lead(listed.list_date) over own_lists as next_own_date
    from listed
    inner join neighbours
        on
            listed.source = neighbours.source
            and listed.index_name = neighbours.index_name
            and listed.list_date = neighbours.list_date
    window own_lists as (partition by listed.source, listed.index_name, listed.stock_code order by listed.list_date)
),

appeared as (
    select
        source,
        index_name,
        stock_code,
        list_date,
        stock_name,
        true as is_member,
        fetch_id,
        row_number,
        fetched_at,
        first_fetched_at
    from placed
    where
        list_date > '-infinity'
        and (previous_own_date is null or previous_own_date is distinct from previous_list_date)
),

vanished as (
    select
        placed.source,
        placed.index_name,
        placed.stock_code,
        placed.next_list_date as list_date,
        placed.stock_name,
        false as is_member,
        new_lists.fetch_id,
        null::integer as row_number,
        new_lists.fetched_at,
        new_lists.first_fetched_at
    from placed
    inner join new_lists
        on
            placed.source = new_lists.source
            and placed.index_name = new_lists.index_name
            and placed.next_list_date = new_lists.list_date
    where placed.next_own_date is distinct from placed.next_list_date
),

final as (
    select * from appeared
    union all
    select * from vanished
)

select * from final
