-- The float that was believed to be a stock's present one, by the time at which it was believed: one row per stock and
-- span of knowledge time, by the best source that had spoken of the stock by then.
with

floats as (
    select * from {{ ref('int_floating_shares__unioned') }}
    where broken_rules = ''
),

answers as (
    select
        source,
        collection_date,
        fetch_id,
        min(known_at) as known_at,
        min(known_basis) as known_basis
    from {{ ref('int_collection__known_answers') }}
    where dataset = 'floating_shares'
    group by source, collection_date, fetch_id
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'floating_shares'
),

timed as (
    select
        floats.stock_code,
        floats.trade_date,
        floats.source,
        floats.total_shares,
        floats.floating_shares,
        floats.floating_ratio,
        floats.first_fetched_at,
        answers.known_at,
        answers.known_basis,
        source_priorities.priority,
        min(source_priorities.priority) over own_words as best_priority,
        max(floats.trade_date) over (
            partition by floats.stock_code, floats.source order by answers.known_at, floats.trade_date
        ) as newest_date
    from floats
    inner join answers
        on
            floats.source = answers.source
            and floats.collection_date = answers.collection_date
            and floats.fetch_id = answers.fetch_id
    left join source_priorities on floats.source = source_priorities.source
    window own_words as (partition by floats.stock_code order by answers.known_at)
),

compared as (
    select
        *,
        lag(row(total_shares, floating_shares)::text) over (
            partition by stock_code order by known_at, trade_date
        ) as previous_values
    from timed
    -- once the better source has spoken of a stock, the other one is not heard; an older state is no present one
    where priority = best_priority and trade_date = newest_date
),

final as (
    select
        stock_code::varchar(10) as stock_code,
        max(trade_date) over own_versions as base_date,
        total_shares::bigint as total_shares,
        floating_shares::bigint as floating_shares,
        round(floating_ratio, 2)::numeric(5, 2) as floating_ratio,
        known_at as known_from,
        lead(known_at) over own_versions as known_to,
        known_basis::varchar(10) as known_basis,
        source::varchar(20) as source,
        first_fetched_at
    from compared
    where row(total_shares, floating_shares)::text is distinct from previous_values
    window own_versions as (partition by stock_code order by known_at, trade_date)
)

select * from final
