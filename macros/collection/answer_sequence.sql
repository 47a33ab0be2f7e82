{#
    Common table expressions up to `sequenced`: the rows that successive answers carry for one key, in the order of the
    answers, each with the row before it and with the moment from which it no longer stood. Of a key that stands twice in
    an answer the row is taken that the marts take.

    The rows come from int_collection__answers with a record of their values. An answer that lacks the key ends its row
    (is_dropped), unless an answer that still stands carries it: a whole market and a single name may both have been asked for.
    Example: with rows_of_answers as (…), {{ answer_sequence('rows_of_answers', ['source', 'stock_code', 'trade_date'], 'values') }}
#}
{% macro answer_sequence(rows, keys, record) -%}
    {%- set key = keys | join(', ') -%}
counted as (
    select
        *,
        row_number() over (partition by {{ key }}, answer_id order by fetch_id desc, row_number) as copy_number
    from {{ rows }}
),

sequenced as (
    select
        *,
        lag({{ record }}) over answers as record_before,
        lag(fetch_id) over answers as fetch_id_before,
        lag(fetched_at) over answers as fetched_at_before,
        coalesce(lag(replaced_by_answer_id) over answers < answer_id, false) as was_dropped_before,
        lag(replaced_by_answer_id) over answers as dropped_by_answer_id,
        lag(answer_replaced_at) over answers as dropped_at,
        lag(answer_id) over answers is null as is_first,
        case
            when lead(answer_id) over answers is null
                then replaced_by_answer_id is not null and not bool_or(is_current) over whole_key
            else coalesce(replaced_by_answer_id < lead(answer_id) over answers, false)
        end as is_dropped,
        case
            when replaced_by_answer_id is null or lead(answer_id) over answers <= replaced_by_answer_id
                then lead(fetched_at) over answers
            else answer_replaced_at
        end as stood_until
    from counted
    where copy_number = 1
    window
        answers as (partition by {{ key }} order by answer_id),
        whole_key as (partition by {{ key }})
)
{%- endmacro %}
