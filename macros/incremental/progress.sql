{#
    Which days a model still has to take in.

    The ledger raw.fetch_cells numbers its rows in the order of commits. A run fixes its high-water mark when it starts
    (begin_run); every table remembers in ops.build_progress, in its own transaction, up to which mark it has consumed
    (record_progress). What lies between the two are the days to make again. A kill at any moment leaves table and
    progress in agreement, and a mart built alone is never ahead of the model that it reads.

    A model takes part by
        config(materialized='incremental', incremental_strategy='swap_days',
               meta={'day_column': 'time', 'datasets': ['ohlcv_daily']})
    and by filtering its input with and_in_days_to_rebuild('trade_date').

    What else a row is made of may come later than its day: a list of stocks that names it. Such a model says in
    meta.looks_again the name of a macro that gives a query of days, as texts, whose rows would be others by now.
#}

{#
    Ids of the tables that a node is made of, through any number of views. Tables made of seeds alone do not count:
    they do not follow the ledger.
#}
{% macro parents_with_progress(node) -%}
    {%- set found = [] -%}
    {%- for id in node.depends_on.nodes if id.startswith('model.') -%}
        {%- set parent = graph.nodes[id] -%}
        {%- if parent.config.materialized not in ['incremental', 'table'] -%}
            {%- do found.extend(parents_with_progress(parent)) -%}
        {%- elif follows_ledger(parent) -%}
            {%- do found.append(id) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | list) }}
{%- endmacro %}

{#  true when a node is made of anything that was collected  #}
{% macro follows_ledger(node) -%}
    {%- for id in node.depends_on.nodes -%}
        {%- if id.startswith('source.') or (id.startswith('model.') and follows_ledger(graph.nodes[id])) -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{#
    The part of the ledger that the model at hand has to take in, as numbers: above `after`, up to `to`. `to` is the run's
    mark, or less where a parent is behind. Numbers and not subqueries, so that the planner knows how little that is.
    Of the changes of the calendar (calendar_changes.sql) likewise `calendar_after` and `calendar_to`.

    Asked once when a model is compiled and once when it runs: `model` lives as long as either, and keeps the answer.
#}
{% macro ledger_range() -%}
    {%- if model.ledger_range is defined -%}{{ return(model.ledger_range) }}{%- endif -%}
    {%- set parents = parents_with_progress(model) -%}
    {%- set query -%}
        select
            coalesce(own.ledger_id, 0),
            least(
                coalesce(
                    (select ledger_id from ops.build_runs where invocation_id = '{{ invocation_id }}'),
                    -- dbt compile and dbt show do not register
                    (select coalesce(max(ledger_id), 0) from raw.fetch_cells)
                )
                {%- for parent in parents %},
                coalesce((select ledger_id from ops.build_progress where model = '{{ parent }}'), 0)
                {%- endfor %}
            ),
            -- a table that was built before changes were counted knows of none: it begins where they stand
            coalesce(own.calendar_change_id, calendar.change_id),
            calendar.change_id
        from (
            select least(
                (select coalesce(max(change_id), 0) from ops.calendar_changes)
                {%- for parent in parents if follows_calendar(graph.nodes[parent]) %},
                coalesce((select calendar_change_id from ops.build_progress where model = '{{ parent }}'), 0)
                {%- endfor %}
            ) as change_id
        ) as calendar
        left join ops.build_progress as own on own.model = '{{ model.unique_id }}'
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {%- do model.update({'ledger_range': {
        'after': row[0] | int, 'to': row[1] | int, 'calendar_after': row[2] | int, 'calendar_to': row[3] | int
    }}) -%}
    {{ return(model.ledger_range) }}
{%- endmacro %}

{#  Cells of the ledger that the model at hand has to take in and that say something about a day, for `from`  #}
{% macro news_in_ledger() -%}
    {%- set range = ledger_range() -%}
    raw.fetch_cells
        where ledger_id > {{ range.after }}
            and ledger_id <= {{ range.to }}
            and dataset in ('{{ model.config.meta.datasets | join("', '") }}')
            and status in ('SUCCESS', 'UNCHANGED', 'PROVISIONAL', 'RETRACTED', 'RESTORED')
{%- endmacro %}

{#
    Days of which something is new to the model at hand, as texts: answers that came or were retracted, days that a gate holds
    otherwise than when the table was built, days of which the calendar says something else than it did, and days of reviewed
    exceptions that are others than those it was built with. A gate table looks again at all days that it holds, though nothing
    new has come of them: what they are measured by may have; others where meta.looks_again says so. Asked as often as ledger_range().
#}
{% macro changed_days() -%}
    {%- if model.changed_days is defined -%}{{ return(model.changed_days | list) }}{%- endif -%}
    {%- set range = ledger_range() -%}
    {%- set query -%}
        select to_char(collection_date, 'YYYY-MM-DD')
        from {{ news_in_ledger() }}
        group by collection_date
        {%- if model.config.meta.get('gates') %}
        union
        select to_char(trade_date, 'YYYY-MM-DD') from {{ this }} where is_held or is_day_held
        {%- endif %}
        union
        select to_char(day, 'YYYY-MM-DD')
        from ops.calendar_changes
        where change_id > {{ range.calendar_after }} and change_id <= {{ range.calendar_to }}
        {%- for day in days_to_look_at_again() %}
        union
        select '{{ day }}'
        {%- endfor %}
        {%- for column, now in {'states': states_of_days(), 'exceptions': reviewed_days()}.items() if now %}
        {%- set built = 'select entry from ops.build_progress, unnest(' ~ column ~ ") as entry where model = '"
            ~ model.unique_id ~ "'" %}
        union
        select left(entry, 10) from ((({{ now }}) except {{ built }}) union all ({{ built }} except ({{ now }}))) as changed
        {%- endfor %}
        order by 1
    {%- endset -%}
    {%- do model.update({'changed_days': run_query(query).columns[0].values()}) -%}
    {{ return(model.changed_days | list) }}
{%- endmacro %}

{#  Days on which the model at hand would say something else by now, by the macro that meta.looks_again names; as texts  #}
{% macro days_to_look_at_again() -%}
    {%- set name = model.config.meta.get('looks_again') -%}
    {%- if model.looked_at_again is not defined -%}
        {%- do model.update({'looked_at_again': run_query(context[name]()).columns[0].values() if name else []}) -%}
    {%- endif -%}
    {{ return(model.looked_at_again | list) }}
{%- endmacro %}

{#
    Days to rebuild as a list of texts, or none when everything is to be built. Days on which a gate holds back the dataset that
    meta.held_by names are not among them: the table keeps what it has of them.
#}
{% macro days_to_rebuild() -%}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set days = changed_days() -%}
    {%- if days and model.config.meta.get('held_by') -%}
        {%- set days = days | reject('in', days_as_last_good(model.config.meta.held_by, days)) | list -%}
    {%- endif -%}
    {%- if days and model.config.meta.get('with_next_sessions') -%}
        {%- do days.extend(neighbouring_sessions('next_session', days, model.config.meta.with_next_sessions)) -%}
    {%- endif -%}
    {%- if days and model.config.meta.get('reaches_sessions') -%}
        {%- do days.extend(sessions_reached(days)) -%}
    {%- endif -%}
    {%- if model.config.meta.get('period') -%}{{ return(first_days_of_periods(days, model.config.meta.period)) }}{%- endif -%}
    {{ return(days | unique | sort | list) }}
{%- endmacro %}

{#
    Days among those of a dataset held as a whole of which the table has the very answers that are held: the gate did not hold them
    when it ran last, and nothing has come of them since. It was something else that told: the bars of the day, the session before.
#}
{% macro days_refuted(held, dataset) -%}
    {%- set meta, gates = model.config.meta, [] -%}
    {%- for id in gates_above(model, dataset) -%}{%- do gates.append(graph.nodes[id].name) -%}{%- endfor -%}
    {%- set query -%}
        select day
        from unnest('{ {{- held | join(",") -}} }'::text[]) as held (day)
        where
            day not in (
                select to_char(collection_date, 'YYYY-MM-DD') from {{ news_in_ledger() }} and dataset = '{{ meta.held_by }}'
            )
            and not exists (
                select
                from ops.build_progress as own
                left join lateral unnest(own.states) as entry on left(entry, 10) = day
                where
                    own.model = '{{ model.unique_id }}'
                    -- an older version noted the day alone, or nothing
                    and (
                        own.states is null
                        or entry = day || '|'
                        or (split_part(entry, '|', 2) in ('{{ gates | join("', '") }}') and right(entry, 2) = '|t')
                    )
            )
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}

{#
    The sessions after (next_session) or before (previous_session) some days, `count` of them each. For models that compare a
    session with those before it: a day that is rebuilt changes as many after it (meta.with_next_sessions, a number). The model
    itself refers to trading_calendar.
#}
{% macro neighbouring_sessions(column, days, count=1) -%}
    {%- set found, last = [], namespace(days=days) -%}
    {%- for step in range(count) if last.days -%}
        {%- set query -%}
            select distinct to_char({{ column }}, 'YYYY-MM-DD')
            from {{ ref('trading_calendar') }}
            where {{ column }} is not null and date in ({{ days_as_sql_list(last.days) }})
        {%- endset -%}
        {%- set last.days = run_query(query).columns[0].values() | reject('in', found) | list -%}
        {%- do found.extend(last.days) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#
    post-hook, in the model's own transaction. `rebuilt_days` is null when everything was built: tests on a window read it
    (get_where_subquery), so that what was built is what is tested.
#}
{% macro record_progress() -%}
    {%- if execute and model.config.materialized in ['incremental', 'table'] and follows_ledger(model) -%}
        {%- set days = none -%}
        {%- if is_incremental() -%}
            {%- set days = days_to_rebuild() if model.config.meta.get('datasets') else [] -%}
        {%- endif -%}
        insert into ops.build_progress (
            model, ledger_id, calendar_change_id, invocation_id, completed_at, rebuilt_days, states, exceptions, looks
        )
        values (
            '{{ model.unique_id }}',
            {{ ledger_range().to }},
            {{ ledger_range().calendar_to }},
            '{{ invocation_id }}',
            clock_timestamp(),
            {{ 'null' if days is none else "'{" ~ days | join(',') ~ "}'" }}::date[],
            array({{ states_of_days() or 'select null::text where false' }}),
            array({{ reviewed_days() or 'select null::text where false' }}),
            array({{ days_looked_at_again(days) }})
        )
        on conflict (model) do update set
            ledger_id = excluded.ledger_id,
            calendar_change_id = excluded.calendar_change_id,
            invocation_id = excluded.invocation_id,
            completed_at = excluded.completed_at,
            rebuilt_days = excluded.rebuilt_days,
            states = excluded.states,
            exceptions = excluded.exceptions,
            looks = excluded.looks
    {%- endif -%}
{%- endmacro %}

{#
    Days that the model at hand was not made again for news of them but by meta.looks_again, as a query of texts: the day and the
    run. `days` are those that this run makes again; of none, which is all of them, nothing is told apart.
#}
{% macro days_looked_at_again(days) -%}
    {%- if days is none or not model.config.meta.get('looks_again') -%}
        select null::text where false
    {%- else -%}
        {%- set again = days_to_look_at_again() | select('in', days) | list %}
        select entry from ops.build_progress, unnest(looks) as entry
        where model = '{{ model.unique_id }}' and left(entry, 10) not in ('{{ again | join("', '") }}')
        {%- for day in again %}
        union all
        select '{{ day }}|{{ invocation_id }}'
        {%- endfor %}
    {%- endif -%}
{%- endmacro %}
