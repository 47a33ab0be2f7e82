-- What could be expected of a stock and session and is in no mart, and why, over the last sessions of every dataset up
-- to the newest one that was asked for or is due. Expected is every listed name where a source was asked for whole
-- markets, of the markets and kinds of which it tells most; where single names are asked for, those names. By probes
-- into the marts' keys: the cost follows the window and not the history.
{% set checked = {
    'ohlcv_daily': {'rows': 'int_daily_prices__unioned', 'day': 'time'},
    'market_cap_daily': {'rows': 'int_daily_prices__unioned', 'day': 'time'},
    'investor_trading': {'rows': 'int_investor_trading__unioned', 'day': 'time'},
    'foreign_ownership_daily': {'rows': 'int_foreign_ownership__unioned', 'day': 'time'},
    'ohlcv_minute': {'rows': 'int_minute_bars__summed', 'day': 'moment'},
} %}
{% set until = var('missing_cells_until', '') %}

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
        max(newest_asked_session) as newest_asked_session,
        max(due_session) filter (where is_watched) as due_session,
        min(due_session) filter (where is_watched) as due_session_of_all
    from {{ ref('freshness') }}
    group by dataset
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
        {{ "case when sound_bar_count = 0 then broken_rules else '' end as" if rows == 'int_minute_bars__summed' }}
        broken_rules,
        {{ 'listed_shares' if rows == 'int_daily_prices__unioned' else '0' }} as told_shares
    from {{ ref(rows) }}
),

{% endfor %}
-- by the ends of the marts' indexes
published as (
    {% for dataset, parts in checked.items() %}
    select
        '{{ dataset }}' as dataset,
        {% for end in ['min', 'max'] %}
        {% if parts.day == 'time' %}
        {{ end }}(time) as {{ end }}_day{{ ',' if end == 'min' }}
        {% else %}
        ({{ end }}(time) at time zone 'Asia/Seoul')::date as {{ end }}_day{{ ',' if end == 'min' }}
        {% endif %}
        {% endfor %}
    from {{ 'bars' if dataset == 'ohlcv_daily' else dataset ~ '_mart' }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

spans as (
    select
        published.dataset,
        least(published.min_day, freshness.newest_asked_session) as first_day,
        coalesce(
            {{ "date '" ~ until ~ "'" if until else 'null' }},
            greatest(published.max_day, freshness.newest_asked_session, freshness.due_session)
        ) as last_day
    from published
    left join freshness on published.dataset = freshness.dataset
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

windows as (
    select
        window_days.dataset,
        min(window_days.date) as first_day,
        max(spans.last_day) as last_day
    from window_days
    inner join spans on window_days.dataset = spans.dataset
    group by window_days.dataset
),

-- the newest attempt at every cell of the window, on days on which the exchange was closed too
window_cells as materialized (
    select distinct on (windows.dataset, fetch_cells.collection_date, fetch_cells.source, fetch_cells.scope)
        windows.dataset,
        fetch_cells.collection_date,
        fetch_cells.source,
        fetch_cells.scope,
        fetch_cells.status,
        fetch_cells.scope ~ '^[0-9][0-9A-Z]{5}$' as is_name,
        calendar.is_session
    from windows
    inner join lateral (
        select *
        from fetch_cells as all_cells
        where
            all_cells.dataset = windows.dataset
            and all_cells.collection_date between windows.first_day and windows.last_day
    ) as fetch_cells on true
    inner join calendar on fetch_cells.collection_date = calendar.date
    order by
        windows.dataset, fetch_cells.collection_date, fetch_cells.source, fetch_cells.scope,
        fetch_cells.ledger_id desc
),

named as (
    select
        dataset,
        scope as stock_code
    from window_cells
    where is_name and is_session
    group by dataset, scope
),

asked_for_funds as (
    select
        dataset,
        collection_date,
        source
    from window_cells
    where scope = 'ETF'
    group by dataset, collection_date, source
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
    inner join named on window_days.dataset = named.dataset
    union all
    -- what was asked for by name although the exchange was closed
    select
        window_cells.dataset,
        window_cells.collection_date as date,
        window_cells.scope as stock_code,
        true as is_named
    from window_cells
    where window_cells.is_name and not window_cells.is_session
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
        order by published.time
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
told as (
    select
        *,
        max(part_there) over (partition by dataset, market, is_fund) as best_part_there
    from shares
),

missing as materialized (
    select * from told
    where not is_there and (is_named or best_part_there > 0.5)
),

missing_days as (
    select
        dataset,
        date
    from missing
    group by dataset, date
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
    from missing_days
    inner join lateral (
        select *
        from {{ parts.rows }}_rows as vendor_rows
        where vendor_rows.trade_date = missing_days.date
    ) as came on true
    where missing_days.dataset = '{{ dataset }}'
    group by missing_days.dataset, came.trade_date, came.stock_code
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- what was asked for by name, missing or not: a join to what is missing would go by days, all names of the one against
-- all names of the other
answers as (
    select
        dataset,
        collection_date as date,
        scope as stock_code,
        source,
        status
    from window_cells
    where is_name
    union all
    -- a scope that is no name is a market, or a page of the whole
    select
        missing.dataset,
        missing.date,
        missing.stock_code,
        window_cells.source,
        window_cells.status
    from missing
    inner join window_cells
        on
            missing.dataset = window_cells.dataset
            and missing.date = window_cells.collection_date
            and not (window_cells.scope in ('KOSPI', 'KOSDAQ', 'KONEX') and missing.market <> window_cells.scope)
    left join asked_for_funds
        on
            window_cells.dataset = asked_for_funds.dataset
            and window_cells.collection_date = asked_for_funds.collection_date
            and window_cells.source = asked_for_funds.source
    where
        not window_cells.is_name
        -- a source that was asked for the funds apart tells them there and nowhere else
        and (window_cells.scope = 'ETF') = (missing.is_fund is true and asked_for_funds.source is not null)
),

asked as (
    select
        dataset,
        date,
        stock_code,
        string_agg(source || ' ' || status, ', ' order by source) as answers,
        bool_or(status in ('SUCCESS', 'UNCHANGED', 'RESTORED')) as has_answer,
        bool_or(status in ('FAILED', 'PARTIAL')) as has_failed,
        bool_or(status = 'RETRACTED') as is_retracted,
        bool_or(status = 'NOT_PUBLISHED') as is_unpublished,
        bool_or(status = 'EMPTY') as is_empty
    from answers
    group by dataset, date, stock_code
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
            -- the source that tells a whole market may be one that publishes later
            when missing.part_there <= 0.5 and missing.date > freshness.due_session_of_all then 'NOT_PUBLISHED'
            when asked.has_answer then 'NOT_IN_ANSWER'
            when asked.has_failed then 'FAILED'
            when asked.is_retracted then 'RETRACTED'
            when asked.is_unpublished then 'NOT_PUBLISHED'
            when asked.is_empty and bars.volume is null and missing.dataset <> 'ohlcv_daily' then 'NO_DAILY_BAR'
            when asked.is_empty then 'EMPTY'
            else 'NOT_COLLECTED'
        end as reason_code,
        rows_that_came.broken_rules,
        asked.answers
    from missing
    left join calendar on missing.date = calendar.date
    left join freshness on missing.dataset = freshness.dataset
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
