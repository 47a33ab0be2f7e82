{#
    The ISIN that the exchange gives a common stock: KR7, the short code, 00, and the check digit of ISO 6166 (Luhn over the
    text with letters as 10 to 35). Made from the code and never cut out of an ISIN: a preferred share's ISIN does not hold its code.
    Example: common_stock_isin('known.stock_code') gives KR7005930003 for 005930
#}
{% macro common_stock_isin(code) -%}
    (
        select
            'KR7' || {{ code }} || '00' || (
                (
                    10 - sum(
                        case
                            when from_right % 2 = 0 then digit
                            when digit > 4 then digit * 2 - 9
                            else digit * 2
                        end
                    ) % 10
                ) % 10
            )
        from (
            select
                digits.digit::integer as digit,
                row_number() over (order by characters.place desc, digits.place desc) as from_right
            from string_to_table('KR7' || {{ code }} || '00', null) with ordinality as characters (sign, place)
            cross join lateral string_to_table(
                (strpos('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', characters.sign) - 1)::text, null
            ) with ordinality as digits (digit, place)
        ) as numbered
    )
{%- endmacro %}
