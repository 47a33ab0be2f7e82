{#
    Tables whose rows tell of more than a day: what a changed day reaches.

    meta.period 'week' or 'month': the table's days are first days of periods, and a changed day makes its period again. The
    model filters its input with and_in_periods_to_rebuild.
    meta.reaches_sessions (a number) and meta.reaches_year_end: a changed day makes the sessions after it again, so many of the
    calendar, and to the end of its year. The model filters its input with and_in_sessions_that_reach_days_to_rebuild and
    refers to trading_calendar.
#}

{#  Monday of the week, or first day of the month, of a day; both as YYYY-MM-DD  #}
{% macro first_day_of_period(day, period) -%}
    {%- set day = modules.datetime.datetime.strptime(day, '%Y-%m-%d') -%}
    {%- if period == 'week' -%}
        {%- set day = day - modules.datetime.timedelta(days=day.weekday()) -%}
    {%- elif period == 'month' -%}
        {%- set day = day.replace(day=1) -%}
    {%- else -%}
        {%- do exceptions.raise_compiler_error("meta.period is week or month, not '" ~ period ~ "'") -%}
    {%- endif -%}
    {{ return(day.strftime('%Y-%m-%d')) }}
{%- endmacro %}

{#  First days of the periods that some days lie in  #}
{% macro first_days_of_periods(days, period) -%}
    {%- set found = [] -%}
    {%- for day in days -%}
        {%- do found.append(first_day_of_period(day, period)) -%}
    {%- endfor -%}
    {{ return(found | unique | sort | list) }}
{%- endmacro %}

{#  `and <column> in (<every day of the periods to rebuild>)`; nothing when everything is built  #}
{% macro and_in_periods_to_rebuild(column) -%}
    {%- set first_days = days_to_rebuild() -%}
    {%- if first_days is not none -%}
        {%- set period = model.config.meta.period -%}
        {%- set days = [] -%}
        {%- for first_day in first_days -%}
            {%- for offset in range(7 if period == 'week' else 31) -%}
                {%- set moment = modules.datetime.datetime.strptime(first_day, '%Y-%m-%d') + modules.datetime.timedelta(days=offset) -%}
                {%- set day = moment.strftime('%Y-%m-%d') -%}
                {%- if first_day_of_period(day, period) == first_day -%}{%- do days.append(day) -%}{%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
        and {{ column }} in ({{ days_as_sql_list(days) if days else 'null' }})
    {%- endif -%}
{%- endmacro %}

{#
    Sessions after some days whose rows those days reach (meta.reaches_sessions, meta.reaches_year_end), no further than the
    table itself goes: a new day reaches nothing. The nearest changed day before a session decides, which is one look at the
    calendar however many days have changed.
#}
{% macro sessions_reached(days) -%}
    {%- set meta = model.config.meta -%}
    {{ return(run_query(
        "select to_char(date, 'YYYY-MM-DD') from ("
        ~ 'select date, is_session, number, max(date) filter (where is_changed) over (order by date) as changed_date, '
        ~ 'max(number) filter (where is_changed) over (order by date) as changed_number from ('
        ~ 'select date, is_session, count(*) filter (where is_session) over (order by date) as number, '
        ~ 'date in (' ~ days_as_sql_list(days) ~ ') as is_changed from ' ~ ref('trading_calendar')
        ~ ') as numbered) as reached where is_session and date > changed_date'
        ~ ' and date <= (select max(' ~ meta.day_column ~ ') from ' ~ this ~ ')'
        ~ ' and (number - changed_number <= ' ~ meta.reaches_sessions
        ~ (' or extract(year from date) = extract(year from changed_date)' if meta.get('reaches_year_end') else '') ~ ')'
    ).columns[0].values() | list) }}
{%- endmacro %}

{#  `and <column> in (<the days to rebuild and meta.reaches_sessions sessions before each>)`; nothing when everything is built  #}
{% macro and_in_sessions_that_reach_days_to_rebuild(column) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days -%}
        {%- set sessions = run_query(
            "select to_char(date, 'YYYY-MM-DD') from ("
            ~ 'select date, is_session, is_rebuilt, number, min(number) filter (where is_rebuilt) over ('
            ~ 'order by date desc) as rebuilt_number from ('
            ~ 'select date, is_session, count(*) filter (where is_session) over (order by date) as number, '
            ~ 'date in (' ~ days_as_sql_list(days) ~ ') as is_rebuilt from ' ~ ref('trading_calendar')
            ~ ') as numbered) as reaching where is_rebuilt or is_session and rebuilt_number - number <= '
            ~ model.config.meta.reaches_sessions
        ).columns[0].values() | list -%}
        and {{ column }} in ({{ days_as_sql_list(sessions) if sessions else 'null' }})
    {%- elif days is not none -%}
        and {{ column }} in (null)
    {%- endif -%}
{%- endmacro %}

{#  `and <column> in (<first days of the months of the years to rebuild>)`; nothing when everything is built  #}
{% macro and_in_years_to_rebuild(column) -%}
    {%- set days = days_to_rebuild() -%}
    {%- if days is not none -%}
        {%- set months = [] -%}
        {%- for day in days -%}
            {%- for month in range(1, 13) -%}{%- do months.append('%s-%02d-01' % (day[:4], month)) -%}{%- endfor -%}
        {%- endfor -%}
        and {{ column }} in ({{ days_as_sql_list(months | unique | list) if months else 'null' }})
    {%- endif -%}
{%- endmacro %}
