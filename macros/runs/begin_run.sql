{#
    One writing run at a time, and the mark up to which it reads the ledger.

    Two runs at once would build the same tables under the same temporary names. dbt opens and closes a connection for
    every node, so neither a lock nor a look at the age of connections tells whether a run is alive. A run therefore
    registers in ops.build_runs; a registered one counts as alive while connections of dbt keep showing up beside it.
    A run that was killed leaves its row open and no connection: the next one closes the row and goes on.
#}

{#  Commands that build or test; docs, compile, show and list look on and neither register nor refuse  #}
{% macro is_writing_run() -%}
    {{ return(execute and flags.WHICH in ['build', 'run', 'seed', 'snapshot', 'test']) }}
{%- endmacro %}

{#  on-run-start  #}
{% macro begin_run() -%}
    {%- if is_writing_run() -%}
        {%- if not run_query("select to_regclass('raw.fetch_cells') is not null").rows[0][0] -%}
            {{ exceptions.raise_compiler_error(
                'database ' ~ target.dbname ~ ' is not set up: run `make up`, or `python -m loaders init`'
            ) }}
        {%- endif -%}
        {%- do run_query(create_run_register()) -%}
        {%- do run_query(create_snapshot_progress()) -%}
        {%- do check_replay() -%}
        {%- do refuse_to_lose_held_days() -%}
        {%- do register_or_refuse() -%}
        {#-  alone from here on: to alter a table that a live run writes would be to wait for its longest model  -#}
        {%- do run_query(create_run_tables()) -%}
        {%- do run_query(create_audit_table()) -%}
        {%- do run_query(create_failing_rows_function()) -%}
    {%- endif -%}
{%- endmacro %}

{#
    The isolation of the transactions to come: where the server's default is repeatable read, who waited for the lock would not
    see the run that had it before.
#}
{% macro register_or_refuse() -%}
    {%- do run_query("set default_transaction_isolation = 'read committed'") -%}
    {%- do run_query(register_run()) -%}
    {%- set blocker = run_query(blocking_run()).rows -%}
    {%- if blocker -%}
        {{ exceptions.raise_compiler_error(
            'another dbt run works on database ' ~ target.dbname ~ ' since ' ~ blocker[0][0]
            ~ ': wait for it to end and start again'
        ) }}
    {%- endif -%}
{%- endmacro %}

{#  on-run-end  #}
{% macro end_run() -%}
    {%- if is_writing_run() -%}{{ closed_run() }}{%- endif -%}
{%- endmacro %}

{% macro closed_run() -%}
    update ops.build_runs set ended_at = clock_timestamp(), outcome = 'ENDED' where invocation_id = '{{ invocation_id }}'
{%- endmacro %}

{#  Altered only where an older version made it: a live run reads it in the transaction of every model  #}
{% macro create_run_register() -%}
    create table if not exists ops.build_runs (
        invocation_id text primary key,
        ledger_id bigint not null,
        started_at timestamptz not null,
        ended_at timestamptz,
        outcome text
    );
    do $complete$
    begin
        if not exists (
            select from pg_attribute where attrelid = 'ops.build_runs'::regclass and attname = 'outcome'
        ) then
            alter table ops.build_runs
                add column if not exists ended_at timestamptz,
                add column if not exists outcome text;
        end if;
    end
    $complete$
{%- endmacro %}

{% macro create_run_tables() -%}
    create table if not exists ops.build_progress (
        model text primary key,
        ledger_id bigint not null,
        invocation_id text not null,
        completed_at timestamptz not null
    );
    alter table ops.build_progress
        add column if not exists rebuilt_days date[],
        add column if not exists states text[],
        add column if not exists looks text[],
        add column if not exists exceptions text[],
        add column if not exists calendar_change_id bigint;
    -- how days were held was not noted once: those that were are looked at again
    do $held$
    begin
        if exists (
            select from pg_attribute
            where attrelid = 'ops.build_progress'::regclass and attname = 'held_days' and not attisdropped
        ) then
            update ops.build_progress
            set states = array(select concat(to_char(day, 'YYYY-MM-DD'), '|') from unnest(held_days) as day);
            alter table ops.build_progress drop column held_days;
        end if;
    end
    $held$;
    create table if not exists ops.calendar_days (
        day date primary key,
        state text not null
    );
    create table if not exists ops.calendar_changes (
        change_id bigint generated always as identity primary key,
        day date not null,
        invocation_id text not null,
        recorded_at timestamptz not null
    );
    create table if not exists ops.mart_changes (
        id bigint generated always as identity primary key,
        invocation_id text not null,
        mart text not null,
        kind text not null check (kind in ('DAYS', 'FIRST_BUILD', 'FULL_REFRESH')),
        day date,
        rows_before bigint not null,
        rows_after bigint not null,
        rows_added bigint,
        rows_removed bigint,
        rows_changed bigint,
        recorded_at timestamptz not null
    );
    create index if not exists mart_changes_mart_day on ops.mart_changes (mart, day)
{%- endmacro %}

{#
    Registers this run unless another one is alive. The lock lets two starts in the same instant take turns. Ten looks
    in a second: between two nodes a live run may have no connection, and one that has just closed lingers for a moment.
#}
{% macro register_run() -%}
    do $register$
    declare
        sightings integer := 0;
    begin
        lock table ops.build_runs in share row exclusive mode;
        if exists (select from ops.build_runs where ended_at is null) then
            for look in 1..10 loop
                perform pg_stat_clear_snapshot(), pg_sleep(0.1);
                sightings := sightings + (
                    select count(*) from pg_stat_activity
                    where datname = current_database() and application_name = 'dbt' and pid <> pg_backend_pid()
                    limit 1
                )::integer::boolean::integer;
            end loop;
        end if;
        if sightings < 3 then
            update ops.build_runs set ended_at = clock_timestamp(), outcome = 'INTERRUPTED' where ended_at is null;
            insert into ops.build_runs (invocation_id, ledger_id, started_at)
            select '{{ invocation_id }}', coalesce(max(ledger_id), 0), clock_timestamp() from raw.fetch_cells;
        end if;
    end
    $register$
{%- endmacro %}

{#  The run that kept this one from registering; no row when it is registered  #}
{% macro blocking_run() -%}
    select to_char(max(started_at), 'YYYY-MM-DD HH24:MI:SS TZ')
    from ops.build_runs
    where ended_at is null
    having not bool_or(invocation_id = '{{ invocation_id }}')
{%- endmacro %}
