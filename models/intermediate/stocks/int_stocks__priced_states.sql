-- What a source's daily files said of a stock: one row per source, stock and session on which name, market or listed
-- shares were others than on its bar before, and on which the files of its market went on without it. KONEX files may
-- leave out what did not trade: absence from them says nothing. Files asked for by stock say nothing about the absent.
-- Funds have a file of their own, which tells no market: it counts as one, ETF.
-- A file speaks as it stood when the next session opened: what was corrected later was not known with it.
{{ config(
    materialized='incremental',
    incremental_strategy='swap_from_day',
    meta={'day_column': 'known_date', 'datasets': ['ohlcv_daily']},
    indexes=[{'columns': ['source', 'stock_code', 'known_date'], 'unique': true}],
) }}

{% set bar_columns = [
    'source', 'vendor_market', 'stock_code', 'trade_date', 'stock_name', 'listed_shares', 'fetch_id', 'row_number',
    'broken_rules',
] %}
{% set columns = [
    'source', 'market', 'segment', 'stock_code', 'list_date', 'stock_name', 'listed_shares', 'fetch_id', 'row_number',
] %}

{%- set is_told_as_fund %}(
            bars.vendor_market is null
            and (bars.source, bars.stock_code) in (select funds.source, funds.stock_code from funds)
        )
{%- endset %}

with

bars as not materialized (
    select {{ bar_columns | join(', ') }}
    from {{ ref('int_daily_prices__as_told') }}
    where true {{ and_from_first_day_to_rebuild('collection_date') }}
),

markets as (
    select * from {{ ref('markets') }}
),

funds as (
    select
        source,
        stock_code
    from {{ ref('int_stocks__last_priced') }}
    where is_fund
),

answers as (
    select
        source,
        collection_date,
        min(known_at) as known_at,
        min(known_basis) filter (where known_basis = 'OBSERVED' and answer_number = 1) is null as is_published,
        bool_or(scope !~ '^[0-9][0-9A-Z]{5}$') as is_whole
    from {{ ref('int_collection__known_answers') }}
    where
        dataset = 'ohlcv_daily'
        {{ and_from_first_day_to_rebuild('collection_date') }}
    group by source, collection_date
),

placed as (
    select
        bars.source,
        coalesce(markets.market, 'ETF') as market,
        case
            when markets.market is null then 'ETF'
            when markets.segment like markets.market || '%' then markets.segment
            else markets.market
        end as segment,
        bars.stock_code,
        bars.trade_date as list_date,
        bars.stock_name,
        -- those of a fund change every day: market_cap_daily tells them, and no state of it
        case when markets.market is not null then bars.listed_shares end as listed_shares,
        bars.fetch_id,
        bars.row_number,
        bars.broken_rules = '' as is_sound
    from bars
    left join markets on bars.vendor_market = markets.vendor_market
    where
        bars.stock_code ~ '^[0-9][0-9A-Z]{5}$'
        and (markets.market is not null or {{ is_told_as_fund }})
),

{% if is_incremental() %}
stored as (
    select distinct on (source, stock_code) *
    from {{ this }}
    where true {{ and_before_first_day_to_rebuild('known_date') }}
    order by source, stock_code, known_date desc
),

{% endif %}
-- counted by the vendor's word first, so that the rows are not kept for it
counted_by_word as (
    select
        source,
        vendor_market,
        trade_date,
        count(*) as stock_count
    from bars
    where
        stock_code ~ '^[0-9][0-9A-Z]{5}$'
        and (vendor_market is not null or {{ is_told_as_fund }})
    group by source, vendor_market, trade_date
),

counted as (
    select
        counted_by_word.source,
        coalesce(markets.market, 'ETF') as market,
        counted_by_word.trade_date as list_date,
        sum(counted_by_word.stock_count) as stock_count
    from counted_by_word
    left join markets on counted_by_word.vendor_market = markets.vendor_market
    -- an unknown word is no market's, and no fund's
    where markets.market is not null or counted_by_word.vendor_market is null
    group by counted_by_word.source, coalesce(markets.market, 'ETF'), counted_by_word.trade_date
    {% if is_incremental() %}
    union all
    select
        source,
        market,
        '-infinity'::date as list_date,
        count(*) as stock_count
    from stored
    where is_listed
    group by source, market
    {% endif %}
),

measured as (
    select
        *,
        lag(stock_count) over (partition by source, market order by list_date) as previous_count
    from counted
),

-- a file that lost half of its names is no whole file
whole_files as (
    select
        measured.source,
        measured.market,
        measured.list_date,
        lead(measured.list_date) over (
            partition by measured.source, measured.market order by measured.list_date
        ) as next_list_date
    from measured
    left join answers on measured.source = answers.source and measured.list_date = answers.collection_date
    where
        measured.list_date = '-infinity'
        or (answers.is_whole and measured.stock_count * 2 >= coalesce(measured.previous_count, 0))
),

{% if is_incremental() %}
previous as (
    select
        source, market, segment, stock_code, '-infinity'::date as list_date, stock_name, listed_shares, fetch_id,
        row_number, is_listed
    from stored
),

{% endif %}
present as (
    select
        {{ columns | join(', ') }},
        is_sound,
        true as is_listed
    from placed
    {% if is_incremental() %}
    union all
    select
        {{ columns | join(', ') }},
        true as is_sound,
        is_listed
    from previous
    {% endif %}
),

-- joined before anything is put in order: from rows in order the planner would compare every day with every file
followed as (
    select
        present.*,
        whole_files.next_list_date,
        lead(present.list_date) over (
            partition by present.stock_code, present.source, present.market order by present.list_date
        ) as next_own_date
    from present
    left join whole_files
        on
            present.source = whole_files.source
            and present.market = whole_files.market
            and present.list_date = whole_files.list_date
),

-- a row speaks twice where it was the last one before a file without its stock
states as (
    select
        followed.source,
        followed.market,
        followed.segment,
        followed.stock_code,
        told.list_date,
        followed.stock_name,
        followed.listed_shares,
        followed.fetch_id,
        told.row_number,
        told.is_listed
    from followed
    cross join lateral (
        values
        (followed.list_date, followed.row_number, followed.is_listed, followed.is_sound),
        (
            followed.next_list_date,
            null,
            false,
            followed.is_listed
            and followed.market <> 'KONEX'
            and followed.next_list_date is not null
            and (followed.next_own_date is null or followed.next_own_date > followed.next_list_date)
        )
    ) as told (list_date, row_number, is_listed, is_told)
    where told.is_told
),

-- a stock that moves from one market's file to another's is listed, not gone
one_a_day as (
    select
        *,
        row_number() over (
            partition by stock_code, source, list_date order by is_listed desc, row_number, market
        ) as preference
    from states
),

compared as (
    select
        *,
        lag(stock_name) over own_bars as previous_name,
        lag(segment) over own_bars as previous_segment,
        lag(listed_shares) over own_bars as previous_shares,
        lag(is_listed) over own_bars as was_listed
    from one_a_day
    where preference = 1
    window own_bars as (partition by stock_code, source order by list_date)
),

changed as (
    select * from compared
    where
        list_date > '-infinity'
        and (
            was_listed is distinct from is_listed
            or previous_name is distinct from stock_name
            or previous_segment is distinct from segment
            or previous_shares is distinct from listed_shares
        )
),

final as (
    select
        changed.source,
        changed.stock_code,
        changed.list_date as known_date,
        answers.known_at,
        case when answers.is_published then 'PUBLISHED' else 'OBSERVED' end as known_basis,
        changed.list_date,
        changed.stock_name,
        changed.market,
        changed.segment,
        changed.listed_shares,
        changed.is_listed,
        changed.fetch_id,
        changed.row_number
    from changed
    inner join answers on changed.source = answers.source and changed.list_date = answers.collection_date
)

select * from final
