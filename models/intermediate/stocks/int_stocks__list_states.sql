-- What a source's lists said of a stock, in the order in which it became known: one row per source, stock and day on
-- whose evening something new was known, its disappearance included. A list that arrives when a newer one is known
-- already says nothing about the present, and a list corrected while it is the newest is a new word.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_from_day',
    meta={'day_column': 'known_date', 'datasets': ['stocks']},
    indexes=[{'columns': ['source', 'stock_code', 'known_date'], 'unique': true}],
) }}

{% set attributes = [
    'isin', 'stock_name', 'vendor_market', 'vendor_security_type', 'stock_kind', 'listing_date', 'listed_shares',
] %}

with

answers as (
    select * from {{ ref('int_collection__known_answers') }}
    where dataset = 'stocks'
),

refused as (
    select
        source,
        scope,
        collection_date
    from {{ ref('int_stocks__lists_measured') }}
    where broken_rules <> ''
),

attempts as (
    select
        source,
        scope,
        collection_date,
        attempt_id,
        known_at,
        known_date,
        known_basis
    from answers
    group by source, scope, collection_date, attempt_id, known_at, known_date, known_basis
),

-- a list in a wrong unit is as if it had never come
sound as (
    select
        attempts.*,
        max(attempts.collection_date) over (
            partition by attempts.source, attempts.scope
            order by attempts.known_date, attempts.collection_date, attempts.attempt_id
        ) as newest_date
    from attempts
    left join refused
        on
            attempts.source = refused.source
            and attempts.scope = refused.scope
            and attempts.collection_date = refused.collection_date
    where refused.source is null
),

-- the last word of an evening about the newest list counts
last_of_day as (
    select
        *,
        row_number() over (
            partition by source, scope, known_date order by collection_date desc, attempt_id desc
        ) as recency
    from sound
    where collection_date = newest_date
),

lists as (
    select
        *,
        lead(attempt_id) over own_lists as next_attempt_id,
        lead(known_date) over own_lists as next_known_date
    from last_of_day
    where recency = 1
    window own_lists as (partition by source, scope order by known_date)
),

-- with the days at hand the last list before them, which they are compared with
lists_at_hand as (
    select * from lists
    where next_known_date is null or (true {{ and_from_first_day_to_rebuild('next_known_date') }})
),

cells as (
    select
        lists_at_hand.*,
        answers.fetch_id
    from lists_at_hand
    inner join answers
        on
            lists_at_hand.source = answers.source
            and lists_at_hand.scope = answers.scope
            and lists_at_hand.collection_date = answers.collection_date
            and lists_at_hand.attempt_id = answers.attempt_id
),

unioned as (
    {{ listed_stocks('cells', attributes, ['attempt_id', 'known_at', 'known_date', 'known_basis']) }}
),

funds as (
    select vendor_type
    from {{ ref('security_types') }}
    where security_type in ('ETF', 'ETN')
),

-- answers cut by code prefix overlap: the vendor matches a prefix anywhere in the code
numbered as (
    select
        {% for column in [
            'source', 'scope', 'list_date', 'attempt_id', 'known_at', 'known_date', 'known_basis', 'stock_code',
        ] %}
        unioned.{{ column }},
        {% endfor %}
        {% for attribute in attributes if attribute != 'listed_shares' %}
        unioned.{{ attribute }},
        {% endfor %}
        -- those of a fund change every day: market_cap_daily tells them, and no state of it
        case when funds.vendor_type is null then unioned.listed_shares end as listed_shares,
        unioned.fetch_id,
        unioned.row_number,
        row_number() over (
            partition by unioned.source, unioned.scope, unioned.attempt_id, unioned.list_date, unioned.stock_code
            order by unioned.fetch_id, unioned.row_number
        ) as occurrence
    from unioned
    left join funds on unioned.vendor_security_type = funds.vendor_type
    where unioned.stock_code ~ '^[0-9][0-9A-Z]{5}$'
),

present as (
    select
        *,
        true as is_listed,
        lead(known_date) over (partition by source, scope, stock_code order by known_date) as next_own_date
    from numbered
    where occurrence = 1
),

-- the next list of the same scope lacks the stock
vanished as (
    select
        present.source,
        present.scope,
        next_lists.collection_date as list_date,
        next_lists.known_at,
        next_lists.known_date,
        next_lists.known_basis,
        present.stock_code,
        {% for attribute in attributes %}
        present.{{ attribute }},
        {% endfor %}
        present.fetch_id,
        null::integer as row_number
    from present
    inner join lists as list_of_row
        on
            present.source = list_of_row.source
            and present.scope = list_of_row.scope
            and present.known_date = list_of_row.known_date
    inner join lists as next_lists
        on
            list_of_row.source = next_lists.source
            and list_of_row.scope = next_lists.scope
            and list_of_row.next_known_date = next_lists.known_date
    where present.next_own_date is distinct from list_of_row.next_known_date
),

states as (
    select
        source, scope, list_date, known_at, known_date, known_basis, stock_code,
        {{ attributes | join(', ') }},
        is_listed, fetch_id, row_number
    from present
    union all
    select
        source, scope, list_date, known_at, known_date, known_basis, stock_code,
        {{ attributes | join(', ') }},
        false as is_listed, fetch_id, row_number
    from vanished
),

-- a stock that moves from one market's list to another's is listed, not gone
one_a_day as (
    select
        *,
        row_number() over (
            partition by source, stock_code, known_date
            order by is_listed desc, known_at desc, list_date desc, scope
        ) as preference,
        hash_record_extended(
            row(is_listed, {{ attributes | join(', ') }}), 0
        ) as values_hash
    from states
),

compared as (
    select
        *,
        lag(values_hash) over (partition by source, stock_code order by known_date) as previous_hash
    from one_a_day
    where preference = 1
),

final as (
    select
        source,
        stock_code,
        known_date,
        known_at,
        known_basis,
        list_date,
        {{ attributes | join(', ') }},
        is_listed,
        fetch_id,
        row_number
    from compared
    where
        values_hash is distinct from previous_hash
        {{ and_from_first_day_to_rebuild('known_date') }}
)

select * from final
