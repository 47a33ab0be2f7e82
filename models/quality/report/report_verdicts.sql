-- Can today be trusted? One verdict a dataset, the gravest that holds, with what stands behind it.
{% set days = {
    'ohlcv_daily': 'time',
    'market_cap_daily': 'time',
    'investor_trading': 'time',
    'foreign_ownership_daily': 'time',
    'ohlcv_minute': 'time',
    'index_daily': 'time',
    'etf_daily': 'time',
    'etf_portfolios': 'base_date',
    'floating_shares': 'base_date',
} %}

with

clock as (
    select
        checked_at,
        (checked_at at time zone 'Asia/Seoul')::date as today
    from {{ ref('stg_audit__warehouse') }}
),

calendar as (
    select
        date,
        is_session
    from {{ ref('trading_calendar') }}
),

cadences as (
    select
        dataset,
        is_always_collected
    from {{ ref('dataset_cadence') }}
),

freshness as (
    select * from {{ ref('freshness') }}
),

completeness as (
    select * from {{ ref('report_completeness') }}
),

attempts as (
    select
        data_type,
        source,
        scope,
        collection_date,
        status,
        ledger_id
    from {{ ref('data_collection_logs') }}
),

superseded_failures as (
    select ledger_id from {{ ref('superseded_failures') }}
),

fetch_cells as not materialized (
    select
        dataset,
        collection_date,
        status,
        completed_at,
        ledger_id
    from {{ ref('stg_ledger__fetch_cells') }}
),

build_progress as (
    select
        split_part(model, '.', 3) as model_name,
        ledger_id
    from {{ ref('stg_audit__build_progress') }}
),

{% for mart, day in days.items() %}
{{ mart }}_rows as not materialized (
    select {{ day }} as day from {{ ref(mart) }}
),

{% endfor %}
datasets as (
    select dataset
    from cadences
    group by dataset
    having bool_or(is_always_collected)
),

-- of several sources one that is in time is enough for the dataset; the late one is named
collected as (
    select
        dataset,
        max(due_session) filter (where is_watched) as watched_session,
        max(due_session) as due_session,
        max(newest_session) as newest_session,
        min(next_due_at) filter (where is_watched) as next_due_at,
        max(collected_at) as collected_at,
        bool_and(is_late) filter (where is_watched) as is_late,
        string_agg(source, ', ' order by source) filter (where is_late) as late_sources
    from freshness
    group by dataset
),

-- back-fills of long ago, which freshness does not look at
ever_collected as (
    select
        dataset,
        max(collection_date) as newest_session,
        max(completed_at) as collected_at
    from fetch_cells
    where status in ('SUCCESS', 'UNCHANGED', 'EMPTY')
    group by dataset
),

published as (
    {% for mart, day in days.items() %}
    select
        '{{ mart }}' as dataset,
        {% if mart == 'ohlcv_minute' %}
        -- not the greatest of all days: the key finds the greatest moment
        (max(day) at time zone 'Asia/Seoul')::date as published_day
        {% else %}
        max(day) as published_day
        {% endif %}
    from {{ mart }}_rows
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

latest_build as (
    select max(ledger_id) as ledger_id from build_progress
),

-- how far the mart of a dataset has read the ledger; where there is none of its name, the build as a whole
built as (
    select
        datasets.dataset,
        coalesce(own.ledger_id, latest_build.ledger_id) as ledger_id
    from datasets
    cross join latest_build
    left join build_progress as own on datasets.dataset = own.model_name
),

not_built as (
    select
        fetch_cells.dataset,
        max(fetch_cells.collection_date) as newest_day
    from fetch_cells
    inner join built on fetch_cells.dataset = built.dataset and fetch_cells.ledger_id > built.ledger_id
    where
        fetch_cells.status in ('SUCCESS', 'RETRACTED', 'RESTORED')
        -- both ends, so that the planner expects few of the ledger's cells
        and fetch_cells.ledger_id > (select min(models.ledger_id) from built as models)
        and fetch_cells.ledger_id <= (select max(newest.ledger_id) from fetch_cells as newest)
    group by fetch_cells.dataset
),

newest_words as (
    select
        attempts.data_type,
        attempts.status,
        attempts.ledger_id,
        row_number() over (
            partition by attempts.data_type, attempts.source, attempts.scope, attempts.collection_date
            order by attempts.ledger_id desc
        ) as recency
    from attempts
    inner join clock
        on attempts.collection_date > clock.today - {{ var('report_days') }} and attempts.collection_date <= clock.today
),

failures as (
    select
        data_type as dataset,
        count(*) as failed_count
    from newest_words
    where
        recency = 1
        and status in ('FAILED', 'PARTIAL')
        and not exists (
            select from superseded_failures
            where superseded_failures.ledger_id = newest_words.ledger_id
        )
    group by data_type
),

-- the days of the report; the newest is told apart
gaps as (
    select
        completeness.dataset,
        count(*) filter (where completeness.is_settled and coalesce(completeness.completeness_percent, 0) < 98)
            as incomplete_session_count,
        bool_or(completeness.is_due and not completeness.is_settled and completeness.completeness_percent < 98)
            as is_waiting,
        min(completeness.completeness_percent) filter (where completeness.is_settled) as lowest_completeness_percent
    from completeness
    inner join clock on completeness.trade_date > clock.today - {{ var('report_days') }}
    group by completeness.dataset
),

judged as (
    select
        datasets.dataset,
        clock.today,
        calendar.is_session as is_session_today,
        coalesce(collected.watched_session, collected.due_session) as due_session,
        coalesce(collected.newest_session, ever_collected.newest_session) as newest_session,
        published.published_day as published_session,
        coalesce(collected.collected_at, ever_collected.collected_at) as collected_at,
        collected.next_due_at,
        collected.late_sources,
        coalesce(failures.failed_count, 0) as failed_count,
        coalesce(gaps.incomplete_session_count, 0) as incomplete_session_count,
        gaps.lowest_completeness_percent,
        clock.checked_at,
        case
            when collected.is_late then 'LATE'
            when ever_collected.newest_session is null then 'NO_DATA'
            -- of a week the day is the vendor's own
            when
                published.dataset is not null
                and (
                    published.published_day is null
                    or published.published_day < coalesce(collected.newest_session, ever_collected.newest_session)
                    and gaps.dataset is not null
                )
                and coalesce(
                    not_built.newest_day < coalesce(collected.newest_session, ever_collected.newest_session), true
                )
                then 'HELD'
            when failures.failed_count > 0 then 'FAILED'
            -- what is missing from a mart is known when it is built
            when not_built.dataset is not null then 'NOT_BUILT'
            when gaps.incomplete_session_count > 0 then 'INCOMPLETE'
            when collected.late_sources is not null then 'SOURCE_LATE'
            when gaps.is_waiting then 'PARTLY_DUE'
            when collected.is_late is null then 'NOT_WATCHED'
            else 'GOOD'
        end as verdict
    from datasets
    cross join clock
    left join calendar on clock.today = calendar.date
    left join collected on datasets.dataset = collected.dataset
    left join ever_collected on datasets.dataset = ever_collected.dataset
    left join published on datasets.dataset = published.dataset
    left join not_built on datasets.dataset = not_built.dataset
    left join failures on datasets.dataset = failures.dataset
    left join gaps on datasets.dataset = gaps.dataset
),

words (verdict, severity, verdict_ko, verdict_en, explanation_ko, explanation_en) as (
    values
    ('GOOD', 0, '정상', 'good', '기한이 된 것이 모두 있습니다', 'what is due is here and whole'),
    (
        'PARTLY_DUE', 1, '일부 출처 대기', 'in part', '나머지 출처는 기한이 아직입니다',
        'the newest session is here in part: another source is due later'
    ),
    ('NOT_WATCHED', 1, '백필만 있음', 'back-fill', '오늘 기한인 것이 없습니다', 'a back-fill alone: nothing is expected today'),
    ('NO_DATA', 1, '데이터 없음', 'no data', '수집한 적이 없습니다', 'never collected here'),
    ('SOURCE_LATE', 2, '일부 출처 지연', 'a source is late', '다른 출처는 들어왔습니다', 'one source is late, another has come'),
    ('NOT_BUILT', 2, '빌드 전', 'not built', '빌드 뒤에 수집됨: dbt build', 'collected after the last build: run dbt build'),
    (
        'INCOMPLETE', 3, '일부 누락', 'incomplete', '빠진 종목은 quality.missing_cells',
        'names are missing on a session of the report: see quality.missing_cells'
    ),
    ('FAILED', 3, '수집 실패', 'failed', 'make load가 다시 요청합니다', 'cells failed: make load asks for them again'),
    (
        'HELD', 4, '발행 보류', 'held', 'quality.held_days, quality.rejected_rows 참조',
        'collected and not published: see quality.held_days and quality.rejected_rows'
    ),
    ('LATE', 4, '지연', 'late', '기한이 지났습니다: make load', 'what is due has not come: make load')
),

names (dataset, name_ko) as (
    values
    ('corporate_actions', '권리 변동'),
    ('delisted_stocks', '상장폐지 종목'),
    ('etf_daily', 'ETF 순자산가치'),
    ('etf_portfolios', 'ETF 구성 내역'),
    ('floating_shares', '유동주식수'),
    ('foreign_ownership_daily', '외국인 보유'),
    ('index_components', '지수 구성종목'),
    ('index_daily', '지수 시세'),
    ('index_list', '지수 목록'),
    ('investor_trading', '투자자별 매매'),
    ('market_cap_daily', '시가총액'),
    ('market_rank_check', '시장 순위 대조'),
    ('ohlcv_daily', '일봉'),
    ('ohlcv_minute', '분봉'),
    ('sectors', '업종'),
    ('stocks', '종목 마스터'),
    ('trading_calendar', '거래일')
),

final as (
    select
        judged.*,
        coalesce(names.name_ko, judged.dataset) as name_ko,
        words.severity,
        words.verdict_ko,
        words.verdict_en,
        words.explanation_ko,
        words.explanation_en
    from judged
    inner join words on judged.verdict = words.verdict
    left join names on judged.dataset = names.dataset
)

select * from final
