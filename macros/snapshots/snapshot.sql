{#
    Snapshots by business date. dbt's own macros compare and write; this materialization decides for which dates, and walks
    them one after the other, so that one date and many go the same way:

    dbt build               takes the date that waits; when more than one does, none, and names the command
    make replay-snapshots   walks the dates that wait, in order (var replay_snapshots: {from, to})
    … REBUILD=1             walks all dates into the schema snapshots_rebuilt; end_snapshots exchanges the rows

    Every date is a transaction of its own that writes its rows and ops.snapshot_progress: a kill leaves both in agreement, and
    the next run goes on from there.
#}

{% materialization snapshot, default %}
    {%- set target_relation = this.incorporate(path={'schema': snapshot_schema()}, type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do prepare_snapshot(target_relation) -%}
    {%- set plan = business_dates_to_take() -%}
    {%- for day in plan.days -%}
        {%- do take_business_date(target_relation, day) -%}
    {%- endfor -%}
    {#-  days without changes have no transaction of their own  -#}
    {%- call statement('main') -%}
        {{ record_business_date(plan.through) }}
    {%- endcall -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=true) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#  Where this run writes: a rebuild goes into a side schema  #}
{% macro snapshot_schema() -%}
    {{ return('snapshots_rebuilt' if replay_options().rebuild else 'snapshots') }}
{%- endmacro %}

{#  Strategy of the snapshot at hand, against the table that this run writes  #}
{% macro snapshot_strategy(target_relation, target_exists) -%}
    {%- set node = dict(model, schema=target_relation.schema) -%}
    {{ return(strategy_dispatch(config.get('strategy'))(
        node, 'snapshotted_data', 'source_data', model.config, target_exists
    )) }}
{%- endmacro %}

{#  The table exists, empty before the first date, so that what reads it can be built; a rebuild begins with an empty one  #}
{% macro prepare_snapshot(target_relation) -%}
    {%- if replay_options().rebuild -%}
        {%- call statement() -%}
            drop table if exists {{ target_relation }};
            delete from ops.snapshot_progress
            where schema_name = '{{ target_relation.schema }}' and snapshot_name = '{{ model.name }}'
        {%- endcall -%}
    {%- endif -%}
    {%- if not run_query("select to_regclass('" ~ target_relation ~ "') is not null").rows[0][0] -%}
        {%- set nothing = 'select * from (' ~ model.compiled_code ~ ') as input where false' -%}
        {%- call statement() -%}
            {{ create_table_as(False, target_relation, build_snapshot_table(snapshot_strategy(target_relation, false), nothing)) }}
        {%- endcall -%}
        {#-  dbt's strategy looks the table up in dbt's cache  -#}
        {%- do adapter.cache_added(target_relation) -%}
        {%- do create_indexes(target_relation) -%}
    {%- endif -%}
{%- endmacro %}

{#
    The dates that wait, and the newest taken one again where an answer has come since, one row a date. What a rebuild walks is
    all of them, since its own progress is empty.
#}
{% macro open_business_dates() -%}
    select
        to_char(dates.business_date, 'YYYY-MM-DD') as day,
        dates.has_changes,
        dates.incomplete_cell,
        coalesce(dates.business_date = progress.business_date, false) as is_taken_again
    from {{ ref('int_snapshots__business_dates') }} as dates
    left join ops.snapshot_progress as progress
        on dates.snapshot_name = progress.snapshot_name and progress.schema_name = '{{ snapshot_schema() }}'
    where
        dates.snapshot_name = '{{ model.name }}'
        and (
            progress.business_date is null
            or dates.business_date > progress.business_date
            or dates.business_date = progress.business_date and (
                to_char(dates.business_date, 'YYYY-MM-DD') = '{{ replay_options().from }}'
                or exists (
                    select from raw.fetch_cells
                    where
                        dataset = any(dates.datasets)
                        and ledger_id > progress.ledger_id
                        and ledger_id <= {{ ledger_range().to }}
                )
            )
        )
    order by dates.business_date
{%- endmacro %}

{#
    {days, through}: the days to walk, and the date that the snapshot has reached afterwards; `through` is none when nothing is
    to be done. Raises in a replay what a build only says, and before anything is written.
#}
{% macro business_dates_to_take() -%}
    {%- set replay = replay_options() -%}
    {%- set dates = run_query(open_business_dates()).rows | list -%}
    {%- set waiting = dates | rejectattr('is_taken_again') | map(attribute='day') | map('string') | list -%}
    {%- if not replay.is_asked and waiting | length > 1 -%}
        {{ return({'days': [], 'through': none}) }}
    {%- endif -%}
    {%- if replay.from and waiting and waiting[0] < replay.from -%}
        {{ exceptions.raise_compiler_error(
            'FROM=' ~ replay.from ~ ' would leave out ' ~ waiting[0] ~ ', which ' ~ model.name
            ~ ' has not taken yet: run make replay-snapshots FROM=' ~ waiting[0] ~ (' TO=' ~ replay.to if replay.to)
        ) }}
    {%- endif -%}
    {%- set days, reached = [], [] -%}
    {%- for date in dates if not replay.to or date.day | string <= replay.to -%}
        {%- if date.incomplete_cell and not replay.accept_incomplete -%}
            {%- set refusal = model.name ~ ' does not take ' ~ date.day ~ ', an answer of that day is missing (' ~ date.incomplete_cell
                ~ '): load it again; if it will never come, run make replay-snapshots ACCEPT_INCOMPLETE=1' -%}
            {%- if replay.is_asked -%}{{ exceptions.raise_compiler_error(refusal) }}{%- endif -%}
            {%- do exceptions.warn(refusal) -%}
            {{ return({'days': [], 'through': none}) }}
        {%- endif -%}
        {%- do reached.append(date.day | string) -%}
        {%- if date.has_changes or date.is_taken_again -%}{%- do days.append(date.day | string) -%}{%- endif -%}
    {%- endfor -%}
    {%- if replay.is_asked -%}
        {%- do log(model.name ~ ': ' ~ reached | length ~ ' business dates'
            ~ (' from ' ~ reached[0] ~ ' to ' ~ reached[-1] if reached) ~ ', ' ~ days | length ~ ' of them with changes', info=true) -%}
    {%- endif -%}
    {{ return({'days': days, 'through': reached[-1] if reached else none}) }}
{%- endmacro %}

{#
    One date, one transaction. What the date has written before goes first, so that taking it again with later answers gives the
    rows that taking it once with them would have given.
#}
{% macro take_business_date(target_relation, day) -%}
    {%- call statement() -%}
        set local warehouse.business_date = '{{ day }}';
        delete from {{ target_relation }} where known_from = '{{ day }}';
        update {{ target_relation }} set known_to = null where known_to = '{{ day }}'
    {%- endcall -%}
    {%- set strategy = snapshot_strategy(target_relation, true) -%}
    {%- set staging = build_snapshot_staging_table(strategy, model.compiled_code, target_relation) -%}
    {#-  what dbt adds for its own comparison  -#}
    {%- set own_columns = ['dbt_change_type', 'dbt_unique_key', 'dbt_unique_key_1', 'dbt_unique_key_2'] -%}
    {%- do create_columns(target_relation, adapter.get_missing_columns(staging, target_relation)
        | rejectattr('name', 'in', own_columns) | list) -%}
    {%- set columns = adapter.get_columns_in_relation(staging) | rejectattr('name', 'in', own_columns) | map(attribute='quoted') | list -%}
    {%- call statement() -%}
        {{ snapshot_merge_sql(target_relation, staging, columns) }}
        drop table {{ staging }};
        {{ record_business_date(day) }}
    {%- endcall -%}
    {{ adapter.commit() }}
    {#-  the driver opens a connection's first transaction itself, and no other  -#}
    {%- call statement() -%} begin {%- endcall -%}
{%- endmacro %}

{#  Where the snapshot at hand is from now on, and what it has read; nothing changes when day is none  #}
{% macro record_business_date(day) -%}
    insert into ops.snapshot_progress (schema_name, snapshot_name, business_date, ledger_id, invocation_id, completed_at)
    select '{{ snapshot_schema() }}', '{{ model.name }}', {{ "date '" ~ day ~ "'" if day else 'null' }},
        {{ ledger_range().to }}, '{{ invocation_id }}', clock_timestamp()
    where {{ 'true' if day else 'false' }}
    on conflict (schema_name, snapshot_name) do update set
        business_date = excluded.business_date,
        ledger_id = excluded.ledger_id,
        invocation_id = excluded.invocation_id,
        completed_at = excluded.completed_at
{%- endmacro %}
