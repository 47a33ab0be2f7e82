-- What could be expected of a stock and session and is in no mart, and why, over the last sessions of every dataset up
-- to the newest one that was asked for or is due. Expected is every listed name where a source was asked for whole
-- markets, of the markets and kinds of which it tells most; where single names are asked for, those names. By probes
-- into the marts' keys: the cost follows the window and not the history.
{% set checked = {
    'ohlcv_daily': {'rows': 'int_daily_prices__unioned', 'day': 'time'},
    'market_cap_daily': {'rows': 'int_daily_prices__unioned', 'day': 'time'},
    'investor_trading': {'rows': 'int_investor_trading__unioned', 'day': 'time'},
    'foreign_ownership_daily': {'rows': 'int_foreign_ownership__unioned', 'day': 'time'},
    'ohlcv_minute': {'rows': 'int_minute_bars__unioned', 'day': 'moment'},
} %}
{% set until = var('missing_cells_until') %}

with

calendar as (
    select
        date,
        is_session
    from {{ ref('trading_calendar') }}
),

freshness as (
    select
        dataset,
        due_session
    from {{ ref('freshness') }}
    where is_watched
),

fetch_cells as not materialized (
    select
        source,
        dataset,
        scope,
        collection_date,
        status,
        ledger_id
    from {{ ref('stg_ledger__fetch_cells') }}
),

stocks as (
    select
        stock_code,
        market,
        security_type,
        listing_date,
        delisting_date
    from {{ ref('stocks') }}
),

reasons as (
    select * from {{ ref('missing_reasons') }}
),

bars as not materialized (
    select
        stock_code,
        time,
        volume,
        is_suspended
    from {{ ref('ohlcv_daily') }}
),

{% for dataset, parts in checked.items() if dataset != 'ohlcv_daily' %}
{{ dataset }}_mart as not materialized (
    select
        stock_code,
        time
    from {{ ref(dataset) }}
),

{% endfor %}
{% for rows in checked.values() | map(attribute='rows') | unique %}
{{ rows }}_rows as not materialized (
    select
        stock_code,
        trade_date,
        broken_rules,
        {{ 'listed_shares' if rows == 'int_daily_prices__unioned' else '0' }} as told_shares
    from {{ ref(rows) }}
),

{% endfor %}
datasets (dataset) as (
    values {% for dataset in checked %}('{{ dataset }}'){{ ', ' if not loop.last }}{% endfor %}
),

spans as (
    select
        datasets.dataset,
        asked.first_day,
        {% if until %}
        date '{{ until }}' as last_day
        {% else %}
        greatest(asked.last_day, (
            select max(freshness.due_session) from freshness
            where freshness.dataset = datasets.dataset
        )) as last_day
        {% endif %}
    from datasets
    cross join lateral (
        select
            min(fetch_cells.collection_date) as first_day,
            max(fetch_cells.collection_date) as last_day
        from fetch_cells
        where fetch_cells.dataset = datasets.dataset
    ) as asked
    where asked.last_day is not null
),

window_days as (
    select
        spans.dataset,
        days.date
    from spans
    cross join lateral (
        select calendar.date
        from calendar
        where calendar.is_session and calendar.date between spans.first_day and spans.last_day
        order by calendar.date desc
        limit {{ var('missing_cells_sessions') }}
    ) as days
),

-- the newest attempt at every cell of the window, on days on which the exchange was closed too
window_cells as materialized (
    select distinct on (fetch_cells.dataset, fetch_cells.collection_date, fetch_cells.source, fetch_cells.scope)
        fetch_cells.dataset,
        fetch_cells.collection_date,
        fetch_cells.source,
        fetch_cells.scope,
        fetch_cells.status,
        fetch_cells.scope ~ '^[0-9][0-9A-Z]{5}$' as is_name
    from (
        select
            dataset,
            min(date) as first_day,
            max(date) as last_day
        from window_days
        group by dataset
    ) as windows
    inner join fetch_cells
        on
            windows.dataset = fetch_cells.dataset
            and fetch_cells.collection_date between windows.first_day and windows.last_day
    order by
        fetch_cells.dataset, fetch_cells.collection_date, fetch_cells.source, fetch_cells.scope,
        fetch_cells.ledger_id desc
),

candidates as materialized (
    select
        window_days.dataset,
        window_days.date,
        stocks.stock_code,
        false as is_named
    from window_days
    inner join stocks
        on
            window_days.date >= stocks.listing_date
            and (window_days.date < stocks.delisting_date or stocks.delisting_date is null)
    where
        window_days.dataset in (
            select window_cells.dataset from window_cells
            where not window_cells.is_name
        )
    union all
    select
        window_days.dataset,
        window_days.date,
        named.stock_code,
        true as is_named
    from window_days
    inner join (
        select
            dataset,
            scope as stock_code
        from window_cells
        where is_name
        group by dataset, scope
    ) as named on window_days.dataset = named.dataset
    union all
    -- what was asked for by name although the exchange was closed
    select
        window_cells.dataset,
        window_cells.collection_date as date,
        window_cells.scope as stock_code,
        true as is_named
    from window_cells
    inner join calendar on window_cells.collection_date = calendar.date
    where window_cells.is_name and not calendar.is_session
),

expected as materialized (
    select
        candidates.dataset,
        candidates.date,
        candidates.stock_code,
        stocks.market,
        stocks.security_type in ('ETF', 'ETN') as is_fund,
        bool_or(candidates.is_named) as is_named,
        coalesce(stocks.listing_date > candidates.date or stocks.delisting_date <= candidates.date, false)
            as is_unlisted
    from candidates
    left join stocks on candidates.stock_code = stocks.stock_code
    group by
        candidates.dataset, candidates.date, candidates.stock_code, stocks.market, stocks.security_type,
        stocks.listing_date, stocks.delisting_date
),

probed as (
    {% for dataset, parts in checked.items() %}
    select
        expected.*,
        found.is_there is not null as is_there
    from expected
    left join lateral (
        select true as is_there
        from {{ 'bars' if dataset == 'ohlcv_daily' else dataset ~ '_mart' }} as published
        where
            published.stock_code = expected.stock_code
            {% if parts.day == 'time' %}
            and published.time = expected.date
            {% else %}
            and published.time >= expected.date::timestamp at time zone 'Asia/Seoul'
            and published.time < (expected.date + 1)::timestamp at time zone 'Asia/Seoul'
            {% endif %}
        limit 1
    ) as found on true
    where expected.dataset = '{{ dataset }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

shares as (
    select
        *,
        avg(is_there::integer) over (partition by dataset, date, market, is_fund) as part_there
    from probed
),

-- of a kind that the source does not tell at all nothing is missing: the exchange's file of stocks holds no funds
missing as materialized (
    select *
    from (
        select
            *,
            max(part_there) over (partition by dataset, market, is_fund) as best_part_there
        from shares
    ) as told
    where not is_there and (is_named or best_part_there > 0.5)
),

rows_that_came as (
    {% for dataset, parts in checked.items() %}
    select
        missing_days.dataset,
        came.trade_date,
        came.stock_code,
        min(came.broken_rules) filter (where came.broken_rules <> '' and came.broken_rules not like 'HELD_WITH%')
            as broken_rules,
        bool_or(came.broken_rules like 'HELD_WITH%') as is_held_with_others,
        bool_or(came.broken_rules = '' and came.told_shares is not null) as has_sound_row,
        bool_or(came.broken_rules = '' and came.told_shares is null) as has_row_without_shares
    from (select distinct dataset, date from missing where dataset = '{{ dataset }}') as missing_days -- noqa: AM01
    cross join lateral (
        select *
        from {{ parts.rows }}_rows as vendor_rows
        where vendor_rows.trade_date = missing_days.date
    ) as came
    group by missing_days.dataset, came.trade_date, came.stock_code
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

asked as (
    select
        missing.dataset,
        missing.date,
        missing.stock_code,
        string_agg(window_cells.source || ' ' || window_cells.status, ', ' order by window_cells.source) as answers,
        bool_or(window_cells.status in ('SUCCESS', 'UNCHANGED')) as has_answer,
        bool_or(window_cells.status in ('FAILED', 'PARTIAL')) as has_failed,
        bool_or(window_cells.status = 'NOT_PUBLISHED') as is_unpublished,
        bool_or(window_cells.status = 'EMPTY') as is_empty
    from missing
    inner join window_cells
        on
            missing.dataset = window_cells.dataset
            and missing.date = window_cells.collection_date
            -- a scope that is neither a name nor a market is a page of the whole
            and (window_cells.scope in (missing.stock_code, missing.market) or not window_cells.is_name)
            and not (window_cells.scope in ('KOSPI', 'KOSDAQ', 'KONEX') and window_cells.scope <> missing.market)
    group by missing.dataset, missing.date, missing.stock_code
),

explained as (
    select
        missing.*,
        case
            when not calendar.is_session then 'HOLIDAY'
            when missing.is_unlisted then 'NOT_LISTED'
            when bars.is_suspended then 'HALTED'
            when bars.volume = 0 and missing.dataset not in ('market_cap_daily', 'foreign_ownership_daily')
                then 'NO_TRADES'
            when rows_that_came.has_sound_row then 'HELD'
            when rows_that_came.broken_rules is not null then 'REJECTED'
            when rows_that_came.is_held_with_others then 'HELD'
            when missing.dataset = 'market_cap_daily' and rows_that_came.has_row_without_shares then 'NOT_TOLD'
            when asked.has_answer then 'NOT_IN_ANSWER'
            when asked.has_failed then 'FAILED'
            when asked.is_unpublished then 'NOT_PUBLISHED'
            when asked.is_empty then 'EMPTY'
            else 'NOT_COLLECTED'
        end as reason_code,
        rows_that_came.broken_rules,
        asked.answers
    from missing
    left join calendar on missing.date = calendar.date
    left join bars on missing.stock_code = bars.stock_code and missing.date = bars.time
    left join rows_that_came
        on
            missing.dataset = rows_that_came.dataset
            and missing.date = rows_that_came.trade_date
            and missing.stock_code = rows_that_came.stock_code
    left join asked
        on
            missing.dataset = asked.dataset
            and missing.date = asked.date
            and missing.stock_code = asked.stock_code
),

final as (
    select
        explained.dataset,
        explained.date as time,
        explained.stock_code,
        explained.market,
        explained.reason_code,
        reasons.reason_ko,
        reasons.reason_en,
        explained.broken_rules,
        explained.answers,
        reasons.is_problem
    from explained
    inner join reasons on explained.reason_code = reasons.reason_code
)

select * from final
