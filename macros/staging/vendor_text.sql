{#
    What vendors write into text fields. None of these raises: what cannot be read is NULL here and is named by
    `unreadable_fields`, so that the row can be rejected with a reason instead of stopping the build.
#}

{#  true when the text is a number: sign, plain or comma-grouped digits, decimals. Example: '-1,100', '0.50'  #}
{% macro is_number(column) -%}
    {{ column }} ~ '^\s*[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?\s*$'
{%- endmacro %}

{#  numeric, or NULL for '', '-' and anything unreadable. Example: to_number('source_rows.tdd_clsprc')  #}
{% macro to_number(column) -%}
    case when {{ is_number(column) }} then replace({{ column }}, ',', '')::numeric end
{%- endmacro %}

{#  true when the text is there and is neither a number nor a sign for "missing"  #}
{% macro is_unparsable(column) -%}
    (coalesce(trim({{ column }}), '') not in ('', '-') and not {{ is_number(column) }})
{%- endmacro %}

{#
    date from YYYYMMDD, YYYY-MM-DD or YYYY/MM/DD, or NULL. The day is checked against the length of its month, because
    PostgreSQL 15 has no cast that fails softly. Example: to_date8('source_rows.date')
#}
{% macro to_date8(column) -%}
    {%- set digits = "regexp_replace(" ~ column ~ ", '[/-]', '', 'g')" -%}
    case
        when
            {{ column }} ~ '^(19|20)[0-9]{2}([/-]?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])$'
            and right({{ digits }}, 2)::integer <= extract(
                day from to_date(left({{ digits }}, 6), 'YYYYMM') + interval '1 month - 1 day'
            )
            then to_date({{ digits }}, 'YYYYMMDD')
    end
{%- endmacro %}

{#
    Names of the fields that hold something unreadable, separated by commas; empty text when all can be read.
    Example: unreadable_fields(['tdd_clsprc', 'acc_trdvol'], 'source_rows')
#}
{% macro unreadable_fields(columns, relation) -%}
    concat_ws(
        ','{% for column in columns %},
        case when {{ is_unparsable(relation ~ '.' ~ column) }} then '{{ column }}' end{% endfor %}

    )
{%- endmacro %}
