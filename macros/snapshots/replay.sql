{#
    What a run is asked to do with the snapshots, and what it says or does when they are done.
#}

{% macro create_snapshot_progress() -%}
    {%- if replay_options().rebuild %}
    -- here, since three snapshots that create it at once get in each other's way
    create schema if not exists snapshots_rebuilt;
    {%- endif %}
    create table if not exists ops.snapshot_progress (
        schema_name text not null,
        snapshot_name text not null,
        business_date date not null,
        ledger_id bigint not null,
        invocation_id text not null,
        completed_at timestamptz not null,
        primary key (schema_name, snapshot_name)
    )
{%- endmacro %}

{#  The var replay_snapshots as {is_asked, from, to, rebuild, accept_incomplete}; days as texts, '' where none is named  #}
{% macro replay_options() -%}
    {%- set given = var('replay_snapshots', none) or {} -%}
    {{ return({
        'is_asked': given | length > 0,
        'from': (given.get('from') or '') | string,
        'to': (given.get('to') or '') | string,
        'rebuild': (given.get('rebuild') or '') | string | length > 0,
        'accept_incomplete': (given.get('accept_incomplete') or '') | string | length > 0,
    }) }}
{%- endmacro %}

{#  on-run-start (begin_run): what can be refused before anything is built  #}
{% macro check_replay() -%}
    {%- set replay = replay_options() -%}
    {%- if replay.rebuild and (replay.from or replay.to) -%}
        {{ exceptions.raise_compiler_error('REBUILD=1 walks every date: leave FROM and TO out') }}
    {%- endif -%}
    {%- for name, day in [('FROM', replay.from), ('TO', replay.to)] if day -%}
        {%- set parts = modules.re.match('([12][0-9]{3})-([0-9]{2})-([0-9]{2})$', day) -%}
        {#-  month 13 and day 31 of February come out as another day  -#}
        {%- set found = run_query(
            "select to_char(make_date(" ~ parts[1] ~ ", 1, 1) + make_interval(months => " ~ parts[2] | int
            ~ " - 1, days => " ~ parts[3] | int ~ " - 1), 'YYYY-MM-DD') as day, "
            ~ "to_char(now() at time zone 'Asia/Seoul', 'YYYY-MM-DD') as today"
        ).rows[0] if parts else none -%}
        {%- if not found or found.day | string != day -%}
            {{ exceptions.raise_compiler_error(name ~ '=' ~ day ~ ' is no date: write it as YYYY-MM-DD') }}
        {%- elif day > found.today | string -%}
            {{ exceptions.raise_compiler_error(name ~ '=' ~ day ~ ' lies in the future: nothing is known of it yet') }}
        {%- endif -%}
    {%- endfor -%}
    {%- if replay.from and replay.to and replay.to < replay.from -%}
        {{ exceptions.raise_compiler_error('TO=' ~ replay.to ~ ' lies before FROM=' ~ replay.from) }}
    {%- endif -%}
    {%- if replay.from -%}
        {%- set taken = run_query(
            "select to_char(min(business_date), 'YYYY-MM-DD'), count(*) from ops.snapshot_progress where schema_name = 'snapshots'"
        ).rows[0] -%}
        {%- set snapshots = graph.nodes.values() | selectattr('resource_type', 'equalto', 'snapshot') | list -%}
        {%- if taken[1] >= snapshots | length and replay.from < taken[0] | string -%}
            {{ exceptions.raise_compiler_error(
                'FROM=' ~ replay.from ~ ' is older than ' ~ taken[0] ~ ', the newest date taken, and snapshots only grow: '
                ~ 'leave FROM out to take what waits, or run make replay-snapshots REBUILD=1 to make all again from the raw answers'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#  on-run-end: one line when dates wait; a rebuild is exchanged when every snapshot of it is there  #}
{% macro end_snapshots(results) -%}
    {%- set done = results | selectattr('node.resource_type', 'equalto', 'snapshot') | list if is_writing_run() else [] -%}
    {%- set replay = replay_options() -%}
    {%- if done and replay.rebuild -%}
        {%- if done | rejectattr('status', 'equalto', 'success') | list -%}
            {%- do exceptions.warn('the rebuilt snapshots are not complete: those in use stay as they are') -%}
        {%- else -%}
            {{ return(exchange_rebuilt_snapshots(done)) }}
        {%- endif -%}
    {%- elif done and not replay.is_asked -%}
        {%- set view = graph.nodes['model.' ~ project_name ~ '.snapshot_dates_waiting'].relation_name -%}
        {%- set waiting = run_query(
            "select max(waiting_count), to_char(min(first_waiting_date), 'YYYY-MM-DD'), "
            ~ "to_char(max(last_waiting_date), 'YYYY-MM-DD') from " ~ view ~ " where waiting_count > 1"
        ).rows[0] if run_query("select to_regclass('" ~ view ~ "') is not null").rows[0][0] else [none] -%}
        {%- if waiting[0] -%}
            {%- do exceptions.warn(
                waiting[0] ~ ' business dates wait for their snapshots, and none was taken: run make replay-snapshots FROM='
                ~ waiting[1] ~ ' TO=' ~ waiting[2]
            ) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#
    The rebuilt rows take the place of those in use, all snapshots in one transaction. Rows and not tables are exchanged: views
    on a snapshot and grants on it stay.
#}
{% macro exchange_rebuilt_snapshots(done) -%}
    {%- for result in done -%}
        {%- set rebuilt = api.Relation.create(target.dbname, 'snapshots_rebuilt', result.node.name) -%}
        {%- set used = api.Relation.create(target.dbname, 'snapshots', result.node.name) -%}
        {%- do run_query('create table if not exists ' ~ used ~ ' (like ' ~ rebuilt ~ ' including all)') -%}
        {%- do create_columns(used, adapter.get_missing_columns(rebuilt, used)) -%}
    {%- endfor -%}
    do $exchange$
    begin
        {%- for result in done %}
        {%- set columns = get_quoted_csv(adapter.get_columns_in_relation(
            api.Relation.create(target.dbname, 'snapshots_rebuilt', result.node.name)) | map(attribute='name')) %}
        delete from snapshots.{{ result.node.name }};
        insert into snapshots.{{ result.node.name }} ({{ columns }})
        select {{ columns }} from snapshots_rebuilt.{{ result.node.name }};
        drop table snapshots_rebuilt.{{ result.node.name }};
        delete from ops.snapshot_progress
        where schema_name = 'snapshots' and snapshot_name = '{{ result.node.name }}';
        update ops.snapshot_progress set schema_name = 'snapshots'
        where schema_name = 'snapshots_rebuilt' and snapshot_name = '{{ result.node.name }}';
        {%- endfor %}
    end
    $exchange$
{%- endmacro %}
