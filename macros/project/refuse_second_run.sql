{#
    Refuses to start while another dbt run writes to the same database: two of them would build the same tables under
    the same temporary names. dbt's own connections are known by their application name (profiles.yml).
#}
{% macro refuse_second_run() -%}
    {% if execute and flags.WHICH in ['build', 'run', 'seed', 'snapshot', 'test'] %}
        {% set query %}
            select count(*), min(pid)
            from pg_stat_activity
            where datname = current_database()
                and application_name = 'dbt'
                -- connections of this run are all younger than the run
                and backend_start < '{{ run_started_at }}'::timestamptz
        {% endset %}
        {% set others = run_query(query).rows[0] %}
        {% if others[0] > 0 %}
            {{ exceptions.raise_compiler_error(
                'another dbt run (server process ' ~ others[1] ~ ') is working on database ' ~ target.dbname
                ~ '; wait for it to end, or end it, and start again'
            ) }}
        {% endif %}
    {% endif %}
{%- endmacro %}
