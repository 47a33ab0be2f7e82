{#
    Common table expressions `rows_at_hand`, `rows_before` and `compared`: checked rows of the days at hand, each with whether it was
    fetched before the close and not confirmed after it (is_provisional), and whether it is a copy of its item's row on the
    session before (is_copy, null where there is none).
    Needs `answers_confirmed` and `calendar` of what_was_asked.
    Example: {{ compared_with_session_before(ref('int_index_levels__unioned'), 'index_name',
    'rows_at_hand.close = rows_before.close') }}
#}
{% macro compared_with_session_before(relation, item, is_copy, columns=['*'], columns_before=['*'], condition='true') -%}
rows_at_hand as (
    select {{ columns | join(', ') }}
    from {{ relation }}
    where
        {{ condition }}
        {{ and_in_days_to_rebuild('trade_date') }}
),

rows_before as (
    select {{ columns_before | join(', ') }}
    from {{ relation }}
    where
        trade_date is not null
        {{ and_in_sessions_before_days_to_rebuild('trade_date') }}
),

compared as (
    select
        rows_at_hand.*,
        calendar.is_session,
        answers_confirmed.confirmed_at < calendar.closes_at as is_provisional,
        case when rows_before.source is not null then {{ is_copy }} end as is_copy
    from rows_at_hand
    left join calendar on rows_at_hand.trade_date = calendar.date
    left join answers_confirmed
        on
            rows_at_hand.fetch_id = answers_confirmed.fetch_id
            and rows_at_hand.trade_date = answers_confirmed.collection_date
    left join rows_before
        on
            rows_at_hand.source = rows_before.source
            and rows_at_hand.{{ item }} = rows_before.{{ item }}
            and calendar.previous_session = rows_before.trade_date
)
{%- endmacro %}

{#
    Common table expression `day_levels` for compared_with_recent_days: items and levels by source and day, of the days at hand and
    the five sessions before each.
    Example: {{ levels_of_days(ref('int_index_levels__unioned'), {'close_level': level_of('close', 1)}) }}
#}
{% macro levels_of_days(relation, levels, condition='true') -%}
day_levels as (
    select
        source,
        trade_date,
        {% for name, level in levels.items() %}
        {{ level }} as {{ name }},
        {% endfor %}
        count(*) as item_count
    from {{ relation }}
    where
        {{ condition }}
        and (
            (true {{ and_in_days_to_rebuild('trade_date') }})
            or (true {{ and_in_sessions_before_days_to_rebuild('trade_date', 5) }})
        )
    group by source, trade_date
)
{%- endmacro %}
