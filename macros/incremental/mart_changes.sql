{#
    What a build changed in a mart, in ops.mart_changes: rows by day that the strategies swap_days and swap_from_day add,
    remove and change, written in the transaction that exchanges them. A day that comes back as it was leaves no row.

    Marts take part by their primary key; a table without one (an intermediate model) is not audited.
#}

{# Columns of a model's primary key; empty where it has none #}
{% macro primary_key_columns(node) -%}
    {%- set found = [] -%}
    {%- for constraint in node.get('constraints', []) if constraint.type == 'primary_key' -%}
        {%- do found.extend(constraint.columns) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# The day of a row as SQL: of a column of moments the KST day #}
{% macro day_of_row(meta) -%}
    {{ return("(" ~ meta.day_column ~ " at time zone 'Asia/Seoul')::date" if meta.get('day_is_moment') else meta.day_column) }}
{%- endmacro %}

{#
    Insert that compares the rows to be deleted with the temporary table's, before either is touched. Where there is nothing
    to compare with, which is every new day, the new rows are only counted.
#}
{% macro record_swapped_rows(arg_dict, condition) -%}
    {%- set key = primary_key_columns(model) -%}
    {%- set day = day_of_row(model.config.meta) -%}
    {%- set old_rows = 'select * from ' ~ arg_dict['target_relation'] ~ ' where ' ~ condition -%}
    {%- if not key -%}{{ return('') }}{%- endif -%}
    {%- if not run_query('select exists (' ~ old_rows ~ ')').rows[0][0] -%}
        {{ return(record_new_rows(arg_dict['temp_relation'])) }}
    {%- endif -%}
    insert into ops.mart_changes
        (invocation_id, mart, kind, day, rows_before, rows_after, rows_added, rows_removed, rows_changed, recorded_at)
    select '{{ invocation_id }}', '{{ model.name }}', 'DAYS', counted.*, clock_timestamp()
    from (
        select
            coalesce(old_rows.swapped_day, new_rows.swapped_day) as swapped_day,
            count(old_rows.swapped_day) as rows_before,
            count(new_rows.swapped_day) as rows_after,
            count(*) filter (where old_rows.swapped_day is null) as rows_added,
            count(*) filter (where new_rows.swapped_day is null) as rows_removed,
            count(*) filter (where old_rows.swapped_day = new_rows.swapped_day and (
                {%- for column in arg_dict['dest_columns'] | map(attribute='quoted') %}
                old_rows.{{ column }} is distinct from new_rows.{{ column }}{{ ' or' if not loop.last }}
                {%- endfor %}
            )) as rows_changed
        from (select {{ day }} as swapped_day, * from ({{ old_rows }}) as rows_to_go) as old_rows
        full join (select {{ day }} as swapped_day, * from {{ arg_dict['temp_relation'] }}) as new_rows
            using ({{ key | join(', ') }})
        group by 1
    ) as counted
    where rows_added + rows_removed + rows_changed > 0;
{%- endmacro %}

{#
    Insert that counts, day by day, rows that took the place of none; empty for a table without a primary key. `days` are those
    to look at, where the table is the mart itself: by their ends an index counts them.
#}
{% macro record_new_rows(relation, days=none) -%}
    {%- set meta = model.config.meta -%}
    {%- if not primary_key_columns(model) -%}{{ return('') }}{%- endif -%}
    insert into ops.mart_changes
        (invocation_id, mart, kind, day, rows_before, rows_after, rows_added, rows_removed, rows_changed, recorded_at)
    select '{{ invocation_id }}', '{{ model.name }}', 'DAYS', day, 0, new_rows, new_rows, 0, 0, clock_timestamp()
    from (
        {%- if days is none %}
        select {{ day_of_row(meta) }} as day, count(*) as new_rows
        from {{ relation }}
        group by 1
        {%- endif %}
        {%- for day in days or [] %}
        select date '{{ day }}' as day, count(*) as new_rows
        from {{ relation }}
        where {{ lies_on_days(meta, [day]) }}
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as counted
    where new_rows > 0;
{%- endmacro %}

{# post-hook: a first build and a full refresh leave one row, by counts alone: comparing thirty years twice is no audit's cost #}
{% macro record_whole_build() -%}
    {%- set strategy = model.config.get('incremental_strategy') or '' -%}
    {%- if execute and strategy.startswith('swap_') and primary_key_columns(model) and not is_incremental() -%}
        {%- set backup = this.incorporate(path={'identifier': this.identifier ~ '__dbt_backup'}) -%}
        {%- set was_there = run_query("select to_regclass('" ~ backup ~ "') is not null").rows[0][0] -%}
        insert into ops.mart_changes
            (invocation_id, mart, kind, rows_before, rows_after, rows_added, rows_removed, rows_changed, recorded_at)
        select
            '{{ invocation_id }}', '{{ model.name }}', '{{ 'FULL_REFRESH' if was_there else 'FIRST_BUILD' }}',
            {{ '(select count(*) from ' ~ backup ~ ')' if was_there else '0' }}, count(*),
            {{ 'null, null, null' if was_there else 'count(*), 0, 0' }}, clock_timestamp()
        from {{ this }}
    {%- endif -%}
{%- endmacro %}
