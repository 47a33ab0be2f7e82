-- Every list of listed shares held against what is known of its stocks: one row per source, scope and day.
--
-- Vendors change the unit of a column without a word: the exchange's own listing of 2024-02-18 comes in shares and in
-- millions of shares under one header. One stock proves nothing, it may have been split; the middle of a whole list
-- does: where its shares are a power of ten times those of the last daily bars, the list is in another unit and is
-- refused as a whole, never converted by guess. Without bars to compare with, the middle of the list must lie where the
-- middle of a Korean market lies: two to thirty million shares since decades, so that thousands and millions of shares
-- fall below 100,000.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'collection_date', 'datasets': ['stocks']},
    indexes=[{'columns': ['source', 'scope', 'collection_date'], 'unique': true}],
) }}

-- fewer names than this have no middle to speak of
{% set enough = 20 %}

with

cells as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'stocks'
        and is_current
        {{ and_in_days_to_rebuild('collection_date') }}
),

last_priced as (
    select * from {{ ref('int_stocks__last_priced') }}
),

listed as (
    {{ listed_shares('cells') }}
),

known as (
    select distinct on (stock_code)
        stock_code,
        listed_shares
    from last_priced
    where listed_shares > 0
    order by stock_code, last_priced_date desc, source
),

measured as (
    select
        listed.source,
        listed.scope,
        listed.collection_date,
        count(*) as listed_stocks,
        count(known.listed_shares) as compared_stocks,
        percentile_cont(0.5) within group (order by listed.listed_shares) as median_shares,
        percentile_cont(0.5) within group (order by (listed.listed_shares / known.listed_shares)::double precision)
            as median_ratio,
        max(listed.fetched_at) as fetched_at
    from listed
    left join known on listed.stock_code = known.stock_code
    where listed.listed_shares > 0
    group by listed.source, listed.scope, listed.collection_date
),

judged as (
    select
        *,
        case
            when compared_stocks >= {{ enough }}
                -- within a quarter of a power of ten, and not the zeroth
                then
                    abs(log(median_ratio) - round(log(median_ratio))) < 0.1
                    and round(log(median_ratio)) <> 0
            when listed_stocks >= {{ enough }} then median_shares not between 1e5 and 1e10
            else false
        end as is_in_wrong_unit
    from measured
),

final as (
    select
        source,
        scope,
        collection_date,
        listed_stocks,
        compared_stocks,
        median_shares,
        median_ratio,
        case when is_in_wrong_unit then 'SHARES_WRONG_UNIT' else '' end as broken_rules,
        fetched_at
    from judged
)

select * from final
