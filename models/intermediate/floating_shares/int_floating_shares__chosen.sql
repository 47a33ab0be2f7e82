-- The best source with a good row speaks for a stock and base date; of two looks at the same page the later one.
with

floats as (
    select * from {{ ref('int_floating_shares__unioned') }}
    where broken_rules = ''
),

held as (
    {{ sources_held(ref('int_floating_shares__gated')) }}
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'floating_shares'
),

ranked as (
    select
        floats.*,
        min(floats.first_fetched_at) over (
            partition by floats.stock_code, floats.trade_date
        ) as first_carried_at,
        row_number() over (
            partition by floats.stock_code, floats.trade_date
            order by source_priorities.priority, floats.source, floats.collection_date desc
        ) as choice
    from floats
    left join source_priorities on floats.source = source_priorities.source
    left join held on floats.source = held.source and floats.collection_date = held.trade_date
    where held.source is null
),

final as (
    select
        stock_code,
        trade_date,
        source,
        total_shares,
        floating_shares,
        floating_ratio,
        fetch_id,
        row_number,
        first_carried_at
    from ranked
    where choice = 1
)

select * from final
