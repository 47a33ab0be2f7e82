{#
    Select of the values that two sources tell differently: rows of a relation beside those of the source that was published,
    a field a row. A value that one of them does not tell is no disagreement.

    The relation has source, item, detail, time, fetch_id and fetched_at beside the fields; `published` lists dataset, item,
    time and source of what was published.
    Example: {{ disagreeing_values('index_daily', 'index_levels', ['open', 'high', 'low', 'close']) }}
#}
{% macro disagreeing_values(dataset, rows, fields) -%}
    select
        '{{ dataset }}' as dataset,
        own_rows.item,
        own_rows.detail,
        own_rows.time,
        fields.field,
        own_rows.source as published_source,
        other_rows.source as other_source,
        fields.published_value,
        fields.other_value,
        own_rows.fetch_id as published_fetch_id,
        other_rows.fetch_id as other_fetch_id,
        greatest(own_rows.fetched_at, other_rows.fetched_at) as fetched_at
    from published
    inner join {{ rows }} as own_rows
        on
            published.item = own_rows.item
            and published.time = own_rows.time
            and published.source = own_rows.source
    inner join {{ rows }} as other_rows
        on
            own_rows.item = other_rows.item
            and own_rows.detail = other_rows.detail
            and own_rows.time = other_rows.time
            and own_rows.source <> other_rows.source
    cross join lateral (
        values
        {% for field in fields %}
        ('{{ field }}', own_rows.{{ field }}::numeric, other_rows.{{ field }}::numeric){{ ',' if not loop.last }}
        {% endfor %}
    ) as fields (field, published_value, other_value)
    where published.dataset = '{{ dataset }}' and fields.published_value <> fields.other_value
{%- endmacro %}
