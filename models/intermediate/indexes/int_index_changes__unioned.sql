-- The change logs as one row per stock that enters or leaves an index on a day, all sources in one shape: one relation
-- a source, in the columns of stg_krx__index_changes. A log is asked for in ranges: about a day the newest one that
-- covers it speaks.
{{ config(materialized='table', indexes=[{'columns': ['index_name', 'stock_code', 'trade_date']}]) }}

{% set relations = {
    'stg_krx__index_changes': 'krx',
} %}

with

cells as (
    select
        source,
        fetch_id,
        min(fetched_at) as fetched_at,
        max(collection_date) as collection_date
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'index_components'
        and scope like '%:CHANGES'
    group by source, fetch_id
),

identified as (
    select
        isin,
        stock_code
    from {{ ref('int_stocks__identified') }}
),

members as (
    select stock_code
    from {{ ref('int_index_members__versioned') }}
    group by stock_code
),

member_isins as (
    select
        {{ common_stock_isin('members.stock_code') }} as isin,
        stock_code
    from members
),

events as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        logged.index_name,
        logged.effective_date,
        logged.entered_isin,
        logged.entered_name,
        logged.left_isin,
        logged.left_name,
        logged.asked_from,
        logged.asked_to,
        logged.fetch_id,
        logged.row_number,
        cells.fetched_at,
        cells.collection_date
    from cells
    inner join {{ ref(relation) }} as logged on cells.fetch_id = logged.fetch_id
    where cells.source = '{{ source_name }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

logs as (
    select
        source,
        index_name,
        fetch_id,
        min(asked_from) as asked_from,
        max(asked_to) as asked_to,
        max(collection_date) as collection_date
    from events
    group by source, index_name, fetch_id
),

coverages as (
    select
        source,
        index_name,
        min(asked_from) as covered_from,
        max(collection_date) as covered_to
    from logs
    group by source, index_name
),

-- one row a side; an event without any stays, as a row of its own without a direction
sides as (
    select
        events.source,
        events.index_name,
        events.effective_date,
        events.fetch_id,
        events.row_number,
        events.fetched_at,
        sided.is_member,
        sided.isin,
        sided.stock_name
    from events
    cross join lateral (
        values
        (true, events.entered_isin, events.entered_name),
        (false, events.left_isin, events.left_name),
        (null, null, null)
    ) as sided (is_member, isin, stock_name)
    where
        coalesce(sided.isin, sided.stock_name) is not null
        or (
            sided.is_member is null
            and coalesce(events.entered_isin, events.entered_name, events.left_isin, events.left_name) is null
        )
),

first_seen as (
    select
        *,
        min(fetched_at) over same_facts as first_fetched_at,
        row_number() over (
            partition by source, index_name, effective_date, is_member, coalesce(isin, stock_name, row_number::text)
            order by fetch_id desc, row_number
        ) as recency
    from sides
    window same_facts as (
        partition by source, index_name, effective_date, is_member, coalesce(isin, stock_name, row_number::text)
    )
),

-- an event that the newest log of its day lacks was taken back
standing as (
    select first_seen.*
    from first_seen
    left join logs as newer
        on
            first_seen.source = newer.source
            and first_seen.index_name = newer.index_name
            and first_seen.fetch_id < newer.fetch_id
            and first_seen.effective_date between newer.asked_from and newer.asked_to
    where
        first_seen.recency = 1
        and newer.fetch_id is null
),

coded as (
    select
        standing.*,
        case
            when standing.isin ~ '^[0-9][0-9A-Z]{5}$' then standing.isin
            else coalesce(identified.stock_code, member_isins.stock_code)
        end as stock_code
    from standing
    left join identified on standing.isin = identified.isin
    left join member_isins on standing.isin = member_isins.isin
),

compared as (
    select
        *,
        min(is_member::integer) over same_days <> max(is_member::integer) over same_days as is_contradicted
    from coded
    window same_days as (partition by source, index_name, effective_date, stock_code)
),

final as (
    select
        compared.source,
        compared.index_name,
        compared.stock_code,
        compared.isin,
        compared.effective_date as trade_date,
        compared.stock_name,
        compared.is_member,
        array_to_string(
            array[
                case when compared.effective_date is null then 'VALUE_UNREADABLE' end,
                case when compared.is_member is null then 'EVENT_WITHOUT_SIDES' end,
                case when compared.is_member is not null and compared.stock_code is null then 'ISIN_UNKNOWN' end,
                case when compared.stock_code is not null and compared.is_contradicted then 'CONFLICTING_DUPLICATE' end
            ],
            ','
        ) as broken_rules,
        coverages.covered_from,
        coverages.covered_to,
        compared.fetch_id,
        compared.row_number,
        compared.fetched_at,
        compared.first_fetched_at
    from compared
    inner join coverages
        on
            compared.source = coverages.source
            and compared.index_name = coverages.index_name
)

select * from final
