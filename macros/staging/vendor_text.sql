{#
    What vendors write into text fields. None of these raises: what cannot be read is NULL here and is named by
    `unreadable_fields`, so that the row can be rejected with a reason instead of stopping the build.

    They run over every field of every raw row. The regular expressions have no back-references: with one PostgreSQL
    leaves its fast path and takes six times as long.
#}

{#  A number as vendors write it: sign, plain or comma-grouped digits, decimals; no class such as \s, which in some locales
    lets spaces through that a cast refuses  #}
{% macro number_pattern() -%}
    [+-]?(([0-9]+|[0-9]{1,3}(,[0-9]{3})+)([.][0-9]+)?|[.][0-9]+)
{%- endmacro %}

{#
    A number as only JSON writes it: 6.90272E8. In a field of text it is a damage, in one that the vendor sends as a number of
    JSON some libraries write so from ten million on, or below a thousandth.
#}
{% macro json_exponent_pattern() -%}
    -?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]{1,2}
{%- endmacro %}

{#  So long a text is no number of a market; a cast to numeric raises from 131,073 digits on  #}
{% macro longest_number() -%}
    1000
{%- endmacro %}

{#  true when the text is a number. Example: '-1,100', '0.50', '.50'; with is_json '6.90272E8' too  #}
{% macro is_number(column, is_json=false) -%}
    {%- set either = '(' ~ number_pattern() ~ '|' ~ json_exponent_pattern() ~ ')' -%}
    ({{ column }} ~ '^ *{{ either if is_json else number_pattern() }} *$' and octet_length({{ column }}) <= {{ longest_number() }})
{%- endmacro %}

{#  numeric, or NULL for '', '-' and anything unreadable. Example: to_number('source_rows.tdd_clsprc')  #}
{% macro to_number(column, is_json=false) -%}
    case
        when octet_length({{ column }}) > {{ longest_number() }} then null
        -- nearly every field is plain digits, and this pattern costs half
        when {{ column }} ~ '^[0-9]+$' then {{ column }}::numeric
        when {{ is_number(column, is_json) }} then replace({{ column }}, ',', '')::numeric
    end
{%- endmacro %}

{#
    numeric of a double as the plain cast gives it, fifteen digits: by way of an integer for whole numbers, which is what nearly
    all are, because the plain cast writes every number out as text and reads it back.
    Example: numeric_of_double('source_rows.open')
#}
{% macro numeric_of_double(number) -%}
    case
        when {{ number }} = trunc({{ number }}) and abs({{ number }}) < 1e15 then ({{ number }})::bigint::numeric
        else ({{ number }})::numeric
    end
{%- endmacro %}

{#  true when the text is there and is neither a number nor a sign for "missing"  #}
{% macro is_unparsable(column, is_json=false) -%}
    (coalesce(trim({{ column }}), '') not in ('', '-') and not {{ is_number(column, is_json) }})
{%- endmacro %}

{#
    date from YYYYMMDD, YYYY-MM-DD, YYYY/MM/DD or YYYY.MM.DD of 1900 to 2099, with spaces too, or NULL: the loaders
    read as many, and a cell whose days they can read counts as done. The pattern lets only days through that exist,
    because PostgreSQL 15 has no cast that fails softly. Example: to_date8('source_rows.date')
#}
{% macro to_date8(column) -%}
    {%- set bare = "rtrim(replace(" ~ column ~ ", ' ', ''), '.')" -%}
    {%- set leap_year = '((19|20)(0[48]|[2468][048]|[13579][26])|2000)' -%}
    {%- set patterns = [] -%}
    {%- for s in ['', '-', '/', '[.]'] -%}
        {%- do patterns.append(
            '(19|20)[0-9]{2}' ~ s ~ '((0[1-9]|1[0-2])' ~ s ~ '(0[1-9]|1[0-9]|2[0-8])'
            ~ '|(0[13-9]|1[0-2])' ~ s ~ '(29|30)|(0[13578]|1[02])' ~ s ~ '31)'
            ~ '|' ~ leap_year ~ s ~ '02' ~ s ~ '29'
        ) -%}
    {%- endfor -%}
    case
        -- nearly every day is one of the 28 that every month has, without separators, and this pattern costs half
        when {{ column }} ~ '^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])$' then ({{ column }})::date
        when {{ column }} ~ '^({{ patterns | join('|') }})$' then ({{ column }})::date
        -- with spaces, as numbers may have them: padded, or as people write it (2026. 11. 02.)
        when {{ bare }} ~ '^({{ patterns | join('|') }})$' then ({{ bare }})::date
    end
{%- endmacro %}

{#
    Names of the fields that hold something unreadable, separated by commas; empty text when all can be read. Looks at all
    fields of a row at once first, since nearly every row is sound.
    Example: unreadable_fields(['tdd_clsprc', 'acc_trdvol'], 'source_rows')
#}
{% macro unreadable_fields(columns, relation, is_json=false) -%}
    case
        when
            concat_ws(chr(31){% for column in columns %}, {{ relation }}.{{ column }}{% endfor %})
            ~ '^( *(-?|{{ number_pattern() }}) *(\x1f|$))*$'
            and octet_length(concat({{ relation }}.{{ columns | join(', ' ~ relation ~ '.') }})) <= {{ longest_number() }}
            then ''
        else concat_ws(
            ','{% for column in columns %},
            case when {{ is_unparsable(relation ~ '.' ~ column, is_json) }} then '{{ column }}' end{% endfor %}

        )
    end
{%- endmacro %}

{#
    true when a clock reads HHMM00, and every field is there and plain digits, so many at most as is said beside it, so that a
    cast reads it: one look at all of them together, a quarter of what one at each costs. null or false for anything else.
    Example: are_plain_digits({'stck_oprc': 9, 'acml_tr_pbmn': 18}, 'source_rows', 'source_rows.stck_cntg_hour')
#}
{% macro are_plain_digits(columns, relation, clock) -%}
    (
        ({{ clock }}{% for column in columns %} || {{ relation }}.{{ column }}{% endfor %})
        !~ '[^0-9]'
        -- digits by now: a pattern that says as much costs as much as all the rest
        and {{ clock }} like '____00'
        and {{ clock }} < '24' collate "C"
        and substr({{ clock }}, 3, 1) < '6' collate "C"
        {%- for column, most in columns.items() %}
        and {{ relation }}.{{ column }} <> ''
        and octet_length({{ relation }}.{{ column }}) <= {{ most }}
        {%- endfor %}
    )
{%- endmacro %}
