{#
    The security type of a stock from what lists call it, and from the exchange's code rule where none tells its kind: codes of
    preferred shares end in 5, 7, 9, K, L or M. Needs security_type, stock_kind and stock_code.
    Example: security_type_of_stock('merged')
#}
{% macro security_type_of_stock(relation) -%}
    case
        when {{ relation }}.security_type <> 'STOCK' then {{ relation }}.security_type
        when {{ relation }}.stock_kind like '%우선주' then 'PREFERRED_STOCK'
        when {{ relation }}.stock_kind = '종류주권' then 'CLASS_STOCK'
        when {{ relation }}.stock_kind = '보통주' then 'COMMON_STOCK'
        when right({{ relation }}.stock_code, 1) in ('5', '7', '9', 'K', 'L', 'M') then 'PREFERRED_STOCK'
        else 'COMMON_STOCK'
    end
{%- endmacro %}
