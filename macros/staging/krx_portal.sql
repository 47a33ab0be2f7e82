{#
    The data portal asks for one stock by its ISIN and does not repeat it in the answer. The loader notes the short code
    beside the request; where a screen was asked by hand it is read out of the ISIN of a common stock or fund, the only ones
    that hold their code (KR7, six characters that end in 0, issue and check digit).

    Example: krx_stock_code('fetches.request')
#}
{% macro krx_stock_code(request) -%}
    coalesce(
            {{ request }} ->> 'stock_code',
            substring({{ request }} ->> 'isuCd' from '^KR7([0-8][0-9]{3}[0-9A-Z]0)00[0-9]$')
        )
{%- endmacro %}
