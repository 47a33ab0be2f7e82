{#
    Kiwoom writes numbers with one sign or two (`--30433` is -30433), so they are brought to one sign before they are read.
    Example: kiwoom_one_sign('source_rows.orgn')
#}
{% macro kiwoom_one_sign(column) -%}
    regexp_replace({{ column }}, '^[+-]+([+-])', '\1')
{%- endmacro %}

{#  Venue that a request asks for: a plain code is the exchange; _NX is NXT, _AL both  #}
{% macro kiwoom_venue(request) -%}
    case
        when {{ request }} ->> 'stk_cd' like '%\_NX' then 'NXT'
        when {{ request }} ->> 'stk_cd' like '%\_AL' then 'UNIFIED'
        else 'KRX'
    end
{%- endmacro %}

{#  Day from which a request for a chart walks back, the last of those that it asks for  #}
{% macro kiwoom_base_date(request) -%}
    {{ to_date8("(" ~ request ~ " ->> 'base_dt')") }}
{%- endmacro %}
