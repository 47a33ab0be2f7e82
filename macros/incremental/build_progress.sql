{#
    Which days a model still has to take in, and how it swaps them.

    The ledger `raw.fetch_cells` numbers its rows in the order of commits. A run fixes its high-water mark when it starts
    (`begin_build`); every incremental model remembers in `ops.build_progress`, in its own transaction, up to which
    mark it has consumed (`record_progress`). What lies between the two are the days to make again. A kill at any
    moment leaves table and progress in agreement, and a mart built alone is never ahead of the model that it reads.

    A model takes part by
        config(materialized='incremental', incremental_strategy='swap_days',
               meta={'day_column': 'time', 'datasets': ['ohlcv_daily']})
    and by filtering its input with and_in_days_to_rebuild('trade_date').
#}

{% macro begin_build() -%}
    {% if execute and flags.WHICH in ['build', 'run', 'seed', 'snapshot', 'test'] %}
        create table if not exists ops.build_runs (
            invocation_id text primary key,
            ledger_id bigint not null,
            started_at timestamptz not null
        );
        create table if not exists ops.build_progress (
            model text primary key,
            ledger_id bigint not null,
            invocation_id text not null,
            completed_at timestamptz not null
        );
        insert into ops.build_runs (invocation_id, ledger_id, started_at)
        select '{{ invocation_id }}', coalesce(max(ledger_id), 0), clock_timestamp()
        from raw.fetch_cells
        on conflict do nothing;
        {{ create_audit_table() }}
    {% endif %}
{%- endmacro %}

{#  SQL of the mark up to which a model may consume: the run's, or less where a parent of it is behind  #}
{% macro progress_limit() -%}
    {%- set parents = [] -%}
    {%- for id in model.depends_on.nodes if graph.nodes.get(id, {}).get('config', {}).get('materialized') == 'incremental' -%}
        {%- do parents.append(id) -%}
    {%- endfor -%}
    {#- views between two tables: look one level further -#}
    {%- for id in model.depends_on.nodes if graph.nodes.get(id, {}).get('config', {}).get('materialized') == 'view' -%}
        {%- for above in graph.nodes[id].depends_on.nodes if graph.nodes.get(above, {}).get('config', {}).get('materialized') == 'incremental' -%}
            {%- do parents.append(above) -%}
        {%- endfor -%}
    {%- endfor -%}
    least(
        (select ledger_id from ops.build_runs where invocation_id = '{{ invocation_id }}')
        {%- for parent in parents | unique %},
        coalesce((select ledger_id from ops.build_progress where model = '{{ parent }}'), 0)
        {%- endfor %}

    )
{%- endmacro %}

{#  post-hook, in the model's own transaction  #}
{% macro record_progress() -%}
    {% if model.config.materialized == 'incremental' and model.config.meta.get('datasets') %}
        insert into ops.build_progress (model, ledger_id, invocation_id, completed_at)
        select '{{ model.unique_id }}', {{ progress_limit() }}, '{{ invocation_id }}', clock_timestamp()
        on conflict (model) do update set
            ledger_id = excluded.ledger_id,
            invocation_id = excluded.invocation_id,
            completed_at = excluded.completed_at
    {% endif %}
{%- endmacro %}

{#  list of days as text, or none when everything is to be built  #}
{% macro days_to_rebuild() -%}
    {%- if not execute or not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set query -%}
        select collection_date::text
        from raw.fetch_cells
        where dataset = any(array['{{ model.config.meta.datasets | join("', '") }}'])
            and status in ('SUCCESS', 'UNCHANGED')
            and ledger_id > coalesce(
                (select ledger_id from ops.build_progress where model = '{{ model.unique_id }}'), 0
            )
            and ledger_id <= {{ progress_limit() }}
        group by collection_date
        order by collection_date
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}
