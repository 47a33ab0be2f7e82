{#
    Weekly and monthly sums on the target timescale, kept by the server: continuous aggregates in the schema `aggregates`, a layer
    above the marts. Each has the name of the mart that says the same on every target, and its columns but for those that look
    beyond the rows of a period (is_complete, has_pension) or change with every new factor (the adjusted ones).

    A hypertable takes part by
        meta={'timeseries': {…, 'aggregated_by': 'aggregated_flows', 'aggregates': {'investor_trading_weekly': 'week'}}}
    where `aggregated_by` is a macro of the period, the bucket and the relation. A full refresh of the table drops them without a
    word, so the end of every build makes what is missing, and makes again what has other columns than its query: the server keeps
    the query of the day on which an aggregate was made. It also refreshes them: the extension knows which rows have changed, and
    a late correction reaches its week and its month however old they are. The policy does so for whoever writes without dbt.
#}

{#  on-run-end  #}
{% macro refresh_continuous_aggregates() -%}
    {%- if target.name == 'timescale' and execute and flags.WHICH in ['build', 'run'] -%}
        {%- for node in nodes_with_aggregates() -%}
            {%- set relation = api.Relation.create(node.database, node.schema, node.alias, type='table') -%}
            {%- if existing_storage(relation) == 'hypertable' -%}
                {%- for name, period in node.config.meta.timeseries.aggregates.items() -%}
                    {%- set query = continuous_aggregate_query(period, node, relation) -%}
                    {%- if continuous_aggregate_exists(name)
                        and get_columns_in_query('select * from aggregates.' ~ name) != get_columns_in_query(query) -%}
                        {#- what somebody made of it stops this, with its name -#}
                        {%- do run_query('drop materialized view aggregates.' ~ name) -%}
                    {%- endif -%}
                    {%- if not continuous_aggregate_exists(name) -%}
                        {%- do run_query(create_continuous_aggregate(name, query)) -%}
                    {%- endif -%}
                    {%- do run_query(wait_for_refreshes()) -%}
                    {#- the refresh commits as it goes: it must be alone, outside of a transaction -#}
                    {%- do run_query('commit') -%}
                    {%- do run_query("call refresh_continuous_aggregate('aggregates." ~ name ~ "', null, null)") -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro nodes_with_aggregates() -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
        {%- if (node.config.meta.get('timeseries') or {}).get('aggregates') -%}
            {%- do found.append(node) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro continuous_aggregate_exists(name) -%}
    {{ return(run_query(
        "select exists (select from timescaledb_information.continuous_aggregates where view_schema = 'aggregates'"
        ~ " and view_name = '" ~ name ~ "')"
    ).rows[0][0]) }}
{%- endmacro %}

{#  What one of a hypertable says  #}
{% macro continuous_aggregate_query(period, node, relation) -%}
    {%- set meta = node.config.meta -%}
    {#- weeks begin on the Monday from which the extension counts buckets of days -#}
    {%- set width = {'week': '7 days', 'month': '1 month'}[period] -%}
    {%- set bucket = "time_bucket(interval '" ~ width ~ "', " ~ meta.day_column ~ ")" -%}
    {{ context[meta.timeseries.aggregated_by](period, bucket, relation) }}
{%- endmacro %}

{#  DDL of one, empty, with its policy  #}
{% macro create_continuous_aggregate(name, query) -%}
    create schema if not exists aggregates;
    create materialized view aggregates.{{ name }}
    with (timescaledb.continuous, timescaledb.materialized_only = true) as
    {{ query }}
    with no data;
    select add_continuous_aggregate_policy(
        'aggregates.{{ name }}', start_offset => null, end_offset => null,
        schedule_interval => interval '{{ var('timeseries_aggregates_every') }}',
        -- the build that makes it fills it too: at once, both would get into each other's way
        initial_start => now() + interval '{{ var('timeseries_aggregates_every') }}'
    );
    commit
{%- endmacro %}

{#
    Statement that waits while somebody refreshes, five minutes at most: the server refuses a second refresh of what another one
    is refreshing, and what began before this build's rows were there does not bring them. A policy is known by its name; since
    2.27 the extension keeps a list in which a refresh that somebody called stands too.
#}
{% macro wait_for_refreshes() -%}
    do $wait$
    declare
        is_refreshing boolean;
    begin
        for look in 1..3000 loop
            perform pg_stat_clear_snapshot();
            is_refreshing := exists (
                select from pg_stat_activity
                where datname = current_database() and application_name like 'Refresh Continuous Aggregate Policy%'
            );
            if to_regclass('_timescaledb_catalog.continuous_aggs_jobs_refresh_ranges') is not null then
                execute 'select $1 or exists (select from _timescaledb_catalog.continuous_aggs_jobs_refresh_ranges'
                    ' inner join pg_stat_activity using (pid))' into is_refreshing using is_refreshing;
            end if;
            exit when not is_refreshing;
            perform pg_sleep(0.1);
        end loop;
    end
    $wait$
{%- endmacro %}

{#  Takes the aggregates of a table away that is moved or made again; the next build on timescale makes them again  #}
{% macro drop_continuous_aggregates(node) -%}
    {%- for name in node.config.meta.timeseries.get('aggregates', {}) if continuous_aggregate_exists(name) -%}
        {%- do run_query('drop materialized view aggregates.' ~ name) -%}
    {%- endfor -%}
{%- endmacro %}

{#  Flows of a period by investor type, as flows_by_period  #}
{% macro aggregated_flows(period, bucket, relation) -%}
    select
        {{ bucket }} as {{ period }},
        stock_code,
        investor_type,
        sum(net_buy_volume)::bigint as net_buy_volume_{{ period }}ly,
        sum(net_buy_value)::bigint as net_buy_value_{{ period }}ly,
        count(*)::integer as session_count,
        min(created_at) as created_at
    from {{ relation }}
    group by 1, 2, 3
{%- endmacro %}

{#  Raw bars of a period, as bars_by_period: of the sessions with trades; a kept close where there is no other  #}
{% macro aggregated_bars(period, bucket, relation) -%}
    select
        {{ bucket }} as {{ period }},
        stock_code,
        (array_agg(open_price order by time) filter (where open_price is not null))[1] as open_price,
        max(high_price) as high_price,
        min(low_price) as low_price,
        (array_agg(close_price order by (open_price is not null) desc, time desc))[1] as close_price,
        sum(volume)::bigint as volume,
        sum(trading_value)::bigint as trading_value,
        count(*)::integer as session_count,
        count(open_price)::integer as traded_session_count,
        min(created_at) as created_at
    from {{ relation }}
    group by 1, 2
{%- endmacro %}
