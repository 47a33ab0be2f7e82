{#
    No gate holds a day back. Every line that it finds is also said in the log of the run, with what to do: the result of a
    test is a number.
#}
{% test nothing_is_held(model) %}

{%- if execute and flags.WHICH in ['build', 'test'] -%}
    {%- for line in run_query(
        'select what_to_do from ' ~ model ~ ' order by trade_date desc, dataset, source, gate limit 20'
    ).columns[0].values() -%}
        {%- do log(line, info=true) -%}
    {%- endfor -%}
{%- endif -%}
select *
from {{ model }}

{% endtest %}
