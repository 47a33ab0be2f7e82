{#
    TimescaleDB, on the target timescale: chunks by a length that the model chooses, compressed once no build is likely to
    come back to them, dropped only where `timeseries_retention` says so.
#}

{# Refuses where the server lacks the extension or has one that is too old #}
{% macro check_timescale() -%}
    {%- set found = run_query("select extversion from pg_extension where extname = 'timescaledb'").rows -%}
    {%- if not found -%}
        {{ exceptions.raise_compiler_error(
            'target timescale needs the extension timescaledb in database ' ~ target.dbname
            ~ ': run `create extension timescaledb` there, or choose --target postgres'
        ) }}
    {%- endif -%}
    {%- set parts = found[0][0].split('-')[0].split('.') -%}
    {%- if (parts[0] | int, parts[1] | int) < (2, 18) -%}
        {{ exceptions.raise_compiler_error(
            'target timescale needs timescaledb 2.18 or newer and database ' ~ target.dbname ~ ' has ' ~ found[0][0]
            ~ ': run `alter extension timescaledb update` there'
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro is_hypertable(relation) -%}
    {{ return(run_query(
        "select exists (select from timescaledb_information.hypertables where hypertable_schema = '" ~ relation.schema
        ~ "' and hypertable_name = '" ~ relation.identifier ~ "')"
    ).rows[0][0]) }}
{%- endmacro %}

{#
    DDL that turns an empty table into a hypertable. What is asked for is mostly one stock over time: rows of a stock lie
    together, newest first, and then by what else is in the key.
#}
{% macro create_hypertable(relation, meta, key) -%}
    {%- set rest = key | reject('in', ['stock_code', meta.day_column]) | list -%}
    select create_hypertable(
        '{{ relation }}',
        by_range('{{ meta.day_column }}', interval '{{ var(meta.timeseries.chunk_interval) }}'),
        create_default_indexes => false
    );
    alter table {{ relation }} set (
        timescaledb.compress,
        timescaledb.compress_segmentby = 'stock_code',
        timescaledb.compress_orderby = '{{ ([meta.day_column ~ ' desc'] + rest) | join(', ') }}'
    );
    select add_compression_policy('{{ relation }}', compress_after => interval '{{ var('timeseries_compress_after') }}');
    {%- if var('timeseries_retention') %}
    select add_retention_policy('{{ relation }}', drop_after => interval '{{ var('timeseries_retention') }}');
    {%- endif %}
{%- endmacro %}

{# A day of the whole market is more than the extension unpacks for one statement; the limit is lifted for the transaction #}
{% macro allow_changes_of_compressed_rows() -%}
    set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0;
{%- endmacro %}

{#
    Locks the chunks of some days, to the end of the transaction, before their rows are looked at. A job that compresses a chunk
    keeps writers out first and waits for readers last: whoever reads a chunk and then writes into it would wait for the job,
    and the job for him, until the server ends one of the two. With their neighbours, since a day does not begin in UTC.
#}
{% macro lock_chunks_of_days(relation, days) -%}
    {%- set chunks = chunks_of_days(relation, days) -%}
    {%- if chunks -%}{%- do run_query('lock table ' ~ chunks | join(', ') ~ ' in row exclusive mode') -%}{%- endif -%}
{%- endmacro %}

{#  Chunks of some days and their neighbours in the order of time; none of a table that is no hypertable  #}
{% macro chunks_of_days(relation, days, only_packed=false) -%}
    {%- if not model.config.meta.get('timeseries') or existing_storage(relation) != 'hypertable' -%}{{ return([]) }}{%- endif -%}
    {{ return(run_query(
        "select format('%I.%I', chunk_schema, chunk_name) from timescaledb_information.chunks where hypertable_schema = '"
        ~ relation.schema ~ "' and hypertable_name = '" ~ relation.identifier
        ~ ("' and is_compressed" if only_packed else "'") ~ " and exists (select from unnest('{" ~ days | join(',')
        ~ "}'::date[]) as day where range_start < day + 2 and range_end > day - 1) order by range_start"
    ).columns[0].values() | list) }}
{%- endmacro %}

{#
    Condition on the names that have other rows on the days at hand than before, for an exchange in compressed chunks. The rows
    of a name lie packed together, of a daily mart a year of them: to delete a day is to unpack that year, of every name that
    the delete does not leave out. A late correction is mostly about a few names, and a day that came again about none.
#}
{% macro in_names_that_differ(arg_dict, condition) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set names = run_query(
        'select distinct quote_literal(stock_code) from (select ' ~ columns ~ ', 1 as side from ' ~ arg_dict['target_relation']
        ~ ' where ' ~ condition ~ ' union all select ' ~ columns ~ ', -1 from ' ~ arg_dict['temp_relation']
        ~ ') as both_sides group by ' ~ columns ~ ' having sum(side) <> 0 order by 1'
    ).columns[0].values() -%}
    {{ return('stock_code in (' ~ (names | join(', ') or 'null') ~ ')') }}
{%- endmacro %}
