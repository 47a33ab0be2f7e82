-- One row per source, stock and collection, with the shares that the float is a part of. Where the source does not
-- tell those, the newest listed shares on or before the base date are looked up, so a price or a list that arrives late
-- changes every row from its day on: the table is made again from there, not day by day.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_from_day',
    meta={'day_column': 'collection_date', 'datasets': ['floating_shares', 'ohlcv_daily', 'stocks']},
    indexes=[{'columns': ['source', 'stock_code', 'collection_date'], 'unique': true}],
) }}

{% set relations = {
    'stg_wics__components': 'wics',
    'stg_fnguide__company_page': 'fnguide',
    'stg_kiwoom__basics': 'kiwoom',
} %}

with

daily_prices as not materialized (
    select
        source,
        stock_code,
        trade_date,
        listed_shares
    from {{ ref('int_daily_prices__unioned') }}
    where broken_rules = ''
),

stock_versions as not materialized (
    select
        source,
        stock_code,
        list_date,
        listed_shares
    from {{ ref('int_stocks__versioned') }}
    where is_listed and listed_shares is not null
),

source_priorities as (
    select
        dataset,
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset in ('ohlcv_daily', 'stocks')
),

-- every successful answer of the days at hand, superseded ones too: they say when a row was first carried
cells as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        fetched_at,
        attempt_id,
        is_current
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'floating_shares'
        {{ and_from_first_day_to_rebuild('collection_date') }}
),

unioned as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        cells.scope,
        cells.collection_date,
        cells.attempt_id,
        rows_of_source.stock_code,
        -- a source that bears no date tells the state of the day on which it was asked
        coalesce(rows_of_source.base_date, cells.collection_date) as trade_date,
        rows_of_source.floating_shares,
        rows_of_source.total_shares,
        rows_of_source.floating_ratio as vendor_ratio,
        rows_of_source.unreadable_fields,
        rows_of_source.fetch_id,
        rows_of_source.row_number,
        cells.fetched_at,
        cells.is_current
    from cells
    inner join {{ ref(relation) }} as rows_of_source on cells.fetch_id = rows_of_source.fetch_id
    where cells.source = '{{ source_name }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- a name may stand in the lists of both levels of a classification; twice with two values is a contradiction
compared as (
    select
        *,
        min(fetched_at) over source_rows as first_fetched_at,
        (
            min(floating_shares) over attempt_rows is distinct from max(floating_shares) over attempt_rows
        ) as has_conflicting_duplicate,
        row_number() over (
            partition by source, stock_code, collection_date
            order by is_current desc, fetch_id desc, row_number
        ) as recency
    from unioned
    window
        source_rows as (partition by source, stock_code, collection_date),
        attempt_rows as (partition by source, stock_code, collection_date, attempt_id)
),

current_rows as (
    select * from compared
    where is_current and recency = 1
),

-- the exchange's count on the base date, else the newest one before it
last_prices as (
    select
        current_rows.source,
        current_rows.stock_code,
        current_rows.collection_date,
        bars.listed_shares,
        bars.trade_date as as_of,
        bars.trade_date as fresh_until,
        1 as preference,
        source_priorities.priority
    from current_rows
    cross join source_priorities
    cross join lateral (
        select
            daily_prices.listed_shares,
            daily_prices.trade_date
        from daily_prices
        where
            daily_prices.source = source_priorities.source
            and daily_prices.stock_code = current_rows.stock_code
            and daily_prices.trade_date <= current_rows.trade_date
        order by daily_prices.trade_date desc
        limit 1
    ) as bars
    where current_rows.total_shares is null and source_priorities.dataset = 'ohlcv_daily'
),

last_lists as (
    select
        current_rows.source,
        current_rows.stock_code,
        current_rows.collection_date,
        lists.listed_shares,
        lists.list_date as as_of,
        -- its counts are cut to thousands: they speak where the exact ones are a month older
        lists.list_date - case when source_priorities.source = 'kis' then 31 else 0 end as fresh_until,
        2 as preference,
        source_priorities.priority
    from current_rows
    cross join source_priorities
    cross join lateral (
        select
            stock_versions.listed_shares,
            stock_versions.list_date
        from stock_versions
        where
            stock_versions.source = source_priorities.source
            and stock_versions.stock_code = current_rows.stock_code
            and stock_versions.list_date <= current_rows.trade_date
        order by stock_versions.list_date desc
        limit 1
    ) as lists
    where current_rows.total_shares is null and source_priorities.dataset = 'stocks'
),

known_counts as (
    select * from last_prices
    union all
    select * from last_lists
),

newest_counts as (
    select distinct on (source, stock_code, collection_date)
        source,
        stock_code,
        collection_date,
        listed_shares,
        as_of
    from known_counts
    order by source asc, stock_code asc, collection_date asc, fresh_until desc, preference asc, priority asc
),

with_listed_shares as (
    select
        current_rows.*,
        newest_counts.listed_shares,
        newest_counts.as_of as listed_shares_date
    from current_rows
    left join newest_counts
        on
            current_rows.source = newest_counts.source
            and current_rows.stock_code = newest_counts.stock_code
            and current_rows.collection_date = newest_counts.collection_date
),

totalled as (
    select
        *,
        coalesce(total_shares, listed_shares) as known_total_shares,
        floating_shares / nullif(coalesce(total_shares, listed_shares), 0) * 100 as ratio
    from with_listed_shares
),

checked as (
    select
        *,
        array_remove(
            array[
                case when {{ is_no_stock_code('stock_code') }} then 'CODE_MALFORMED' end,
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case when floating_shares is null then 'VALUE_MISSING' end,
                case
                    when num_nonnulls(nullif(floating_shares % 1, 0), nullif(known_total_shares % 1, 0)) > 0
                        then 'COUNT_NOT_WHOLE'
                end,
                case when coalesce(known_total_shares, 0) <= 0 then 'LISTED_SHARES_UNKNOWN' end,
                case when floating_shares <= 0 then 'FLOAT_NOT_POSITIVE' end,
                case when known_total_shares > 0 and ratio > 100 then 'FLOAT_ABOVE_LISTED' end,
                case
                    -- its shares, listed shares and ratio are one statement: where they differ, a column is shifted.
                    -- FnGuide divides by index-adjusted shares: that difference is a remark, no error
                    when source = 'kiwoom' and abs(ratio - vendor_ratio) > 1 then 'FLOAT_RATIO_CONTRADICTED'
                end,
                case when has_conflicting_duplicate then 'CONFLICTING_DUPLICATE' end
            ],
            null
        ) as broken_rules
    from totalled
),

final as (
    select
        source,
        stock_code,
        trade_date,
        collection_date,
        floating_shares,
        known_total_shares as total_shares,
        ratio as floating_ratio,
        vendor_ratio,
        listed_shares_date,
        -- names of the rules that the row breaks, separated by commas; empty for a good row
        array_to_string({{ unreviewed('floating_shares', 'broken_rules', 'trade_date', 'null') }}, ',') as broken_rules,
        {{ lifted_rules('floating_shares', 'broken_rules', 'trade_date', 'null') }} as reviewed_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from checked
)

select * from final
