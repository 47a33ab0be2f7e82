{#
    What the calendar said about a day when it was built before, so that a closure or an hour that is learned late reaches
    every table that was built without it (changed_days in progress.sql).
#}

{#  true when a node is made of trading_calendar; of one that is not, nobody waits until it has taken a change in  #}
{% macro follows_calendar(node) -%}
    {%- set queue = [node.unique_id] -%}
    {#-  the list grows while it is walked  -#}
    {%- for id in queue -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent.startswith('model.') and parent not in queue -%}
            {%- if graph.nodes[parent].name == 'trading_calendar' -%}{{ return(true) }}{%- endif -%}
            {%- do queue.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{#
    post-hook of trading_calendar, in its own transaction: notes the days that have become others than they were, and the
    session after each, whose session before is another one now. A day that the calendar did not reach before is no change.
#}
{% macro record_calendar_changes() -%}
    {%- set states -%}
        select
            calendar.date,
            calendar.next_session,
            -- seconds since 1970, because a moment as text depends on the time zone of the server
            concat_ws(
                ' ', calendar.is_session, extract(epoch from calendar.opens_at), extract(epoch from calendar.closes_at),
                string_agg(
                    concat_ws(' ', sessions.venue, sessions.session, sessions.opens_at, sessions.closes_at), ', '
                    order by sessions.venue, sessions.session, sessions.opens_at
                ) filter (where calendar.is_session)
            ) as state
        from {{ this }} as calendar
        left join {{ ref('trading_sessions') }} as sessions
            on calendar.date >= sessions.valid_from
            and (calendar.date < sessions.valid_to or sessions.valid_to is null)
        group by calendar.date, calendar.next_session, calendar.is_session, calendar.opens_at, calendar.closes_at
    {%- endset -%}
    insert into ops.calendar_changes (day, invocation_id, recorded_at)
    select distinct changed.day, '{{ invocation_id }}', clock_timestamp()
    from ({{ states }}) as states
    inner join ops.calendar_days as known on states.date = known.day and states.state <> known.state
    cross join unnest(array[states.date, states.next_session]) as changed (day)
    where changed.day is not null;

    insert into ops.calendar_days as known (day, state)
    select date, state from ({{ states }}) as states
    on conflict (day) do update set state = excluded.state where known.state <> excluded.state
{%- endmacro %}
