-- Whether a source's collection of free floats may be published: one row per source, collection and gate that can be
-- judged. A view: a look a week, and what the mart shows is made whole in every build.
with

floats as (
    select
        *,
        lag(floating_shares) over (partition by source, stock_code order by collection_date) as floating_shares_before
    from {{ ref('int_floating_shares__unioned') }}
),

measured as (
    select
        source,
        collection_date as trade_date,
        count(*) as item_count,
        null::bigint as expected_count,
        max(fetched_at) as fetched_at,
        -- listed shares come from elsewhere: a name without them is rejected by itself
        {{ part_of('floating_shares is null', 20) }} as null_share,
        {{ median_of('floating_shares / nullif(floating_shares_before, 0)', 10) }} as shares_unit
    from floats
    group by source, collection_date
),

{{ gate_verdicts('floating_shares', ['null_share', 'shares_unit']) }}

select * from final
