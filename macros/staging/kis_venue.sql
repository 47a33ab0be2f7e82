{#  Venue that a request asks for by its market code; null for any other code  #}
{% macro kis_venue(request) -%}
    case {{ request }} ->> 'FID_COND_MRKT_DIV_CODE'
        when 'J' then 'KRX'
        when 'NX' then 'NXT'
        when 'UN' then 'UNIFIED'
    end
{%- endmacro %}
