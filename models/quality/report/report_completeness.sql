-- Sessions by datasets: names that a mart holds of those that it has held within the report's sessions and that were
-- listed on the day. What it never held stands in missing_cells. By the marts' keys: the cost follows the window.
{% set marts = {
    'ohlcv_daily': 'stock_code',
    'market_cap_daily': 'stock_code',
    'investor_trading': 'stock_code',
    'foreign_ownership_daily': 'stock_code',
    'ohlcv_minute': 'stock_code',
    'index_daily': 'index_name',
    'etf_daily': 'stock_code',
} %}

with

clock as (
    select (checked_at at time zone 'Asia/Seoul')::date as today from {{ ref('stg_audit__warehouse') }}
),

sessions as (
    select calendar.date
    from {{ ref('trading_calendar') }} as calendar
    inner join clock on calendar.date <= clock.today
    where calendar.is_session
    order by calendar.date desc
    limit {{ var('report_sessions') }}
),

-- a session is due with the first source that must have it, and settled with the last
due as (
    select
        dataset,
        bool_or(is_watched) as is_watched,
        max(due_session) as due_session,
        coalesce(min(due_session) filter (where is_watched), min(due_session)) as settled_session
    from {{ ref('freshness') }}
    group by dataset
),

fetch_cells as not materialized (
    select
        dataset,
        collection_date
    from {{ ref('stg_ledger__fetch_cells') }}
),

stocks as (
    select
        stock_code,
        listing_date,
        delisting_date
    from {{ ref('stocks') }}
),

{% for mart, key in marts.items() %}
{{ mart }}_rows as not materialized (
    select
        {{ key }} as item,
        {% if mart == 'ohlcv_daily' %}volume,{% endif %}
        time
    from {{ ref(mart) }}
),

{% endfor %}
traded as materialized (
    select
        sessions.date,
        bars.item
    from sessions
    inner join ohlcv_daily_rows as bars on sessions.date = bars.time
    where bars.volume > 0
),

present as materialized (
    {% for mart in marts if mart != 'ohlcv_minute' %}
    select
        '{{ mart }}' as dataset,
        sessions.date,
        published.item
    from sessions
    inner join {{ mart }}_rows as published on sessions.date = published.time
    group by sessions.date, published.item
    union all
    {% endfor %}
    -- of minutes one is enough, looked for where the day was traded
    select
        'ohlcv_minute' as dataset,
        traded.date,
        traded.item
    from traded
    where exists (
        select from ohlcv_minute_rows as minutes
        where
            minutes.item = traded.item
            and minutes.time >= traded.date::timestamp at time zone 'Asia/Seoul'
            and minutes.time < (traded.date + 1)::timestamp at time zone 'Asia/Seoul'
    )
),

items as (
    select
        dataset,
        item,
        min(date) as first_date
    from present
    group by dataset, item
),

expected as (
    select
        items.dataset,
        sessions.date,
        items.item
    from items
    cross join sessions
    left join stocks on items.item = stocks.stock_code
    where
        (stocks.listing_date is null or sessions.date >= stocks.listing_date)
        and (stocks.delisting_date is null or sessions.date < stocks.delisting_date)
),

-- minutes are expected of what was traded
counted as (
    select
        expected.dataset,
        expected.date,
        count(*) as expected_count,
        count(present.item) as present_count
    from expected
    left join present
        on expected.dataset = present.dataset and expected.date = present.date and expected.item = present.item
    left join traded
        on expected.dataset = 'ohlcv_minute' and expected.item = traded.item and expected.date = traded.date
    where expected.dataset <> 'ohlcv_minute' or traded.item is not null
    group by expected.dataset, expected.date
),

-- nothing is due from before a dataset was first asked for, nor after the end of a back-fill; what nobody asked for
-- lately is unknown to freshness
datasets as (
    {% for mart in marts %}
    select
        '{{ mart }}' as dataset,
        min(collection_date) as first_asked_date,
        max(collection_date) as last_asked_date
    from fetch_cells
    where dataset = '{{ mart }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        datasets.dataset,
        sessions.date as trade_date,
        coalesce(counted.expected_count, 0) as expected_count,
        coalesce(counted.present_count, 0) as present_count,
        round(100.0 * counted.present_count / counted.expected_count, 2) as completeness_percent,
        coalesce(
            sessions.date between datasets.first_asked_date and coalesce(due.due_session, datasets.last_asked_date)
            and (due.is_watched or sessions.date <= datasets.last_asked_date), false
        ) as is_due,
        coalesce(
            sessions.date between datasets.first_asked_date and coalesce(due.settled_session, datasets.last_asked_date)
            and (due.is_watched or sessions.date <= datasets.last_asked_date), false
        ) as is_settled
    from datasets
    cross join sessions
    left join counted on datasets.dataset = counted.dataset and sessions.date = counted.date
    left join due on datasets.dataset = due.dataset
)

select * from final
