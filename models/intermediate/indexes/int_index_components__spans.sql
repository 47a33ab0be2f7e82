-- Spans of membership, and when their beginning and their end became known: by the first dated list that shows them, or
-- by the first look at the change log.
{{ config(
    materialized='table',
    indexes=[{'columns': ['index_name', 'stock_code', 'effective_date'], 'unique': true}],
) }}

with

states as (
    select * from {{ ref('int_index_components__stated') }}
),

answers as (
    select
        source,
        collection_date,
        min(known_at) as known_at,
        -- of two words on one day the dated one is the earlier
        max(known_basis) as known_basis
    from {{ ref('int_collection__known_answers') }}
    where
        dataset = 'index_components'
        and scope not like '%:CHANGES'
    group by source, collection_date
),

timed as (
    select
        states.*,
        coalesce(answers.known_at, states.first_fetched_at) as known_at,
        coalesce(answers.known_basis, 'OBSERVED') as known_basis
    from states
    left join answers
        on
            states.source = answers.source
            and states.trade_date = answers.collection_date
            and states.basis = 'LIST'
),

compared as (
    select
        *,
        lag(is_member) over own_states as was_member
    from timed
    where is_decisive
    window own_states as (partition by index_name, stock_code order by trade_date)
),

-- a word that repeats the one before adds nothing; who was never in cannot leave
changed as (
    select
        *,
        lead(trade_date) over (partition by index_name, stock_code order by trade_date) as next_date
    from compared
    where is_member is distinct from coalesce(was_member, false)
),

-- any word of the span tells of its beginning
first_known as (
    select
        changed.index_name,
        changed.stock_code,
        changed.trade_date,
        (array_agg(timed.known_at order by timed.known_at))[1] as known_at,
        (array_agg(timed.known_basis order by timed.known_at))[1] as known_basis
    from changed
    inner join timed
        on
            changed.index_name = timed.index_name
            and changed.stock_code = timed.stock_code
            and changed.is_member = timed.is_member
            and changed.trade_date <= timed.trade_date
            and (changed.next_date is null or changed.next_date > timed.trade_date)
    group by changed.index_name, changed.stock_code, changed.trade_date
),

final as (
    select
        changed.index_name,
        changed.stock_code,
        changed.trade_date as effective_date,
        changed.next_date as end_date,
        case
            when (changed.log_first_fetched_at at time zone 'Asia/Seoul')::date < changed.trade_date
                then (changed.log_first_fetched_at at time zone 'Asia/Seoul')::date
        end as announced_date,
        changed.source,
        changed.fact_first_fetched_at,
        entered.known_at as entry_known_at,
        entered.known_basis as entry_known_basis,
        -- who is known to have left is known to have been in
        case when left_again.known_at is not null then greatest(left_again.known_at, entered.known_at) end
            as exit_known_at,
        case when left_again.known_at < entered.known_at then entered.known_basis else left_again.known_basis end
            as exit_known_basis
    from changed
    inner join first_known as entered
        on
            changed.index_name = entered.index_name
            and changed.stock_code = entered.stock_code
            and changed.trade_date = entered.trade_date
    left join first_known as left_again
        on
            changed.index_name = left_again.index_name
            and changed.stock_code = left_again.stock_code
            and changed.next_date = left_again.trade_date
    where changed.is_member
)

select * from final
