{#
    Of each item and day the row of the best source that has a good one and is not held: common table expressions up to `final`, for
    datasets whose rows stand alone. A model that is a view of it hands its readers' filter on trade_date on to the index,
    because trade_date is in the partition.
    Example: {{ rows_of_best_source(ref('int_index_levels__unioned'), ref('int_index_levels__gated'), 'index_daily',
    'index_name', ['close']) }} select * from final
#}
{% macro rows_of_best_source(relation, gate_table, dataset, item, columns) -%}
with

rows_of_sources as (
    select * from {{ relation }}
),

-- asked with `not in`, which the planner takes for a rare hit; it would take a join for one that leaves no row
held as (
    {{ sources_held(gate_table) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = '{{ dataset }}'
),

ranked as (
    select
        rows_of_sources.*,
        min(rows_of_sources.first_fetched_at) over (
            partition by rows_of_sources.trade_date, rows_of_sources.{{ item }}
        ) as first_carried_at,
        row_number() over (
            partition by rows_of_sources.trade_date, rows_of_sources.{{ item }}
            order by source_priorities.priority, rows_of_sources.source
        ) as choice
    from rows_of_sources
    left join source_priorities on rows_of_sources.source = source_priorities.source
    where
        rows_of_sources.broken_rules = ''
        and (rows_of_sources.source, rows_of_sources.trade_date) not in (
            select held.source, held.trade_date from held
        )
),

final as (
    select
        {{ item }},
        trade_date,
        {% for column in columns %}
        {{ column }},
        {% endfor %}
        source,
        fetch_id,
        row_number,
        first_carried_at
    from ranked
    where choice = 1
)
{%- endmacro %}
