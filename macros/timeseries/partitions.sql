{#
    Native partitions, one a KST month, in the schema `partitions`: a day is never cut in two, a swap of days touches one or two
    of them, and the schema of the marts lists marts. Queries, keys, indexes and rights are those of the table itself.
#}

{% macro months_of_days(days) -%}
    {%- set months = [] -%}
    {%- for day in days -%}{%- do months.append(day[:7] ~ '-01') -%}{%- endfor -%}
    {{ return(months | unique | sort | list) }}
{%- endmacro %}

{# Every day that the ledger has an answer for: what a table that is built whole may hold #}
{% macro collected_days(datasets) -%}
    {{ return(run_query(
        "select distinct to_char(collection_date, 'YYYY-MM-DD') from raw.fetch_cells"
        ~ " where dataset in ('" ~ datasets | join("', '") ~ "') and status in ('SUCCESS', 'UNCHANGED', 'PROVISIONAL')"
    ).columns[0].values() | list) }}
{%- endmacro %}

{#
    Months that no partition of a table covers, with the bounds of the one that is missing and a name that is free: while a
    table is made again, the old one's partitions have theirs. Bounds are compared as moments, so partitions that somebody
    else made, longer ones too, count.
#}
{% macro missing_partitions(relation, name, meta, months) -%}
    {%- set moment = " 00:00+09" if meta.get('day_is_moment') else "" -%}
    select
        months.lower_bound,
        months.upper_bound,
        (
            select partition_name
            from generate_series(1, 99) as number
            cross join lateral concat(
                '{{ name }}_', to_char(months.month, 'YYYY_MM'), case when number > 1 then concat('_', number) end
            ) as partition_name
            where to_regclass(format('partitions.%I', partition_name)) is null
            order by number
            limit 1
        ) as partition_name
    from (
        select
            month,
            to_char(month, 'YYYY-MM-DD') || '{{ moment }}' as lower_bound,
            to_char(month + interval '1 month', 'YYYY-MM-DD') || '{{ moment }}' as upper_bound
        from unnest(array['{{ months | join("', '") }}']::date[]) as month
    ) as months
    where not exists (
        select
        from pg_inherits
        inner join pg_class on pg_inherits.inhrelid = pg_class.oid
        cross join lateral pg_get_expr(pg_class.relpartbound, pg_class.oid) as bound
        cross join lateral regexp_match(
            replace(replace(bound, 'MINVALUE', '''-infinity'''), 'MAXVALUE', '''infinity'''), 'FROM \(''(.+)''\) TO \(''(.+)''\)'
        ) as ends
        where pg_inherits.inhparent = to_regclass('{{ relation }}')
            and (
                bound = 'DEFAULT'
                or months.lower_bound::timestamptz >= ends[1]::timestamptz
                and months.lower_bound::timestamptz < ends[2]::timestamptz
            )
    )
    order by months.month
{%- endmacro %}

{#
    DDL of the partitions that are missing for some months; nothing when all are there. Made beside the table and attached:
    `create table … partition of` would wait for every query on the table, and keep new ones waiting.
#}
{% macro create_partitions(relation, name, meta, months) -%}
    {%- set missing = run_query(missing_partitions(relation, name, meta, months)).rows if months else [] -%}
    {%- if missing and not run_query("select to_regnamespace('partitions') is not null").rows[0][0] %}
    create schema partitions;
    {%- endif %}
    {%- for partition in missing %}
    create table partitions.{{ partition[2] }} (like {{ relation }} including defaults including constraints);
    alter table {{ relation }} attach partition partitions.{{ partition[2] }}
    for values from ('{{ partition[0] }}') to ('{{ partition[1] }}');
    {%- endfor %}
{%- endmacro %}
