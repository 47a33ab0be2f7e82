-- Whether a source's lists of index members may be published: one row per source, day and gate that can be judged. A
-- list is held against the five before it of its index, whatever became of them: one wrong list among them does not
-- count. The worst list of a day decides.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['index_components'], 'gates': 'index_components'},
    indexes=[{'columns': ['source', 'trade_date', 'gate'], 'unique': true}],
) }}

-- of shorter lists a true change may be the half
{% set enough = 20 %}

with

-- lists before the days at hand lie no further back than the loaders look
members as (
    select
        source,
        index_name,
        stock_code,
        trade_date,
        fetched_at
    from {{ ref('int_index_members__unioned') }}
    where true {{ and_from_first_day_to_rebuild('trade_date + 60') }}
),

lists as (
    select
        source,
        index_name,
        trade_date,
        count(*) as member_count,
        count(*) filter (where stock_code is null) as unknown_count,
        max(fetched_at) as fetched_at,
        row_number() over (partition by source, index_name order by trade_date) as list_number
    from members
    group by source, index_name, trade_date
),

lists_at_hand as (
    select * from lists
    where true {{ and_in_days_to_rebuild('trade_date') }}
),

earlier_lists as (
    select
        lists_at_hand.source,
        lists_at_hand.index_name,
        lists_at_hand.trade_date,
        lists_at_hand.member_count,
        earlier.trade_date as earlier_date,
        earlier.member_count as earlier_count
    from lists_at_hand
    inner join lists as earlier
        on
            lists_at_hand.source = earlier.source
            and lists_at_hand.index_name = earlier.index_name
            and earlier.list_number between lists_at_hand.list_number - 5 and lists_at_hand.list_number - 1
    where earlier.member_count >= {{ enough }}
),

kept as (
    select
        earlier_lists.source,
        earlier_lists.index_name,
        earlier_lists.trade_date,
        earlier_lists.member_count,
        earlier_lists.earlier_count,
        count(members.stock_code) as kept_count
    from earlier_lists
    inner join members as earlier
        on
            earlier_lists.source = earlier.source
            and earlier_lists.index_name = earlier.index_name
            and earlier_lists.earlier_date = earlier.trade_date
    left join members
        on
            earlier_lists.source = members.source
            and earlier_lists.index_name = members.index_name
            and earlier_lists.trade_date = members.trade_date
            and earlier.stock_code = members.stock_code
    group by
        earlier_lists.source, earlier_lists.index_name, earlier_lists.trade_date, earlier_lists.earlier_date,
        earlier_lists.member_count, earlier_lists.earlier_count
),

compared as (
    select
        source,
        index_name,
        trade_date,
        percentile_disc(0.5) within group (order by earlier_count) as expected_count,
        percentile_disc(0.5) within group (order by member_count::double precision / earlier_count) as row_count,
        percentile_disc(0.5) within group (order by kept_count::double precision / earlier_count) as kept_share
    from kept
    group by source, index_name, trade_date
),

measured as (
    select
        lists_at_hand.source,
        lists_at_hand.trade_date,
        sum(lists_at_hand.member_count) as item_count,
        sum(coalesce(compared.expected_count, lists_at_hand.member_count)) as expected_count,
        max(lists_at_hand.fetched_at) as fetched_at,
        sum(lists_at_hand.unknown_count)::double precision / sum(lists_at_hand.member_count) as null_share,
        min(compared.row_count) as row_count,
        min(compared.kept_share) as kept_share
    from lists_at_hand
    left join compared
        on
            lists_at_hand.source = compared.source
            and lists_at_hand.index_name = compared.index_name
            and lists_at_hand.trade_date = compared.trade_date
    group by lists_at_hand.source, lists_at_hand.trade_date
),

{{ gate_verdicts('index_components', ['null_share', 'row_count', 'kept_share']) }}

select * from final
