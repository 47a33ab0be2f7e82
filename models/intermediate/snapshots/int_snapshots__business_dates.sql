-- The business dates of every snapshot: the days on which something that it is made of became known, and the sessions
-- between the first of them and the newest answer, so that a day on which nothing changed is a date too.

-- What a snapshot is made of, the datasets whose answers make that, and those of them that must be complete: a list
-- that failed may hide who is gone. Prices only help out where there is no list.
{% set snapshots = {
    'snap_stocks': {
        'inputs': ['int_stocks__known', 'int_stock_sectors__known'],
        'datasets': 'stocks delisted_stocks sectors ohlcv_daily',
        'complete': 'stocks delisted_stocks sectors',
    },
    'snap_index_components': {
        'inputs': ['int_index_components__known'],
        'datasets': 'index_components',
        'complete': 'index_components',
    },
    'snap_floating_shares': {
        'inputs': ['int_floating_shares__known'],
        'datasets': 'floating_shares',
        'complete': 'floating_shares',
    },
} %}

with

cells as (
    select
        ledger_id,
        source,
        dataset,
        scope,
        collection_date,
        status,
        -- the day on which the answer is known, or would be: no later than it came, no earlier than the day it is about
        greatest(
            collection_date,
            case when status in ('FAILED', 'PARTIAL') then published_at else least(published_at, completed_at) end
            at time zone 'Asia/Seoul'
        )::date as known_date
    from {{ ref('stg_ledger__fetch_cells') }}
    -- of all cells those of single names would be the most, by far: flows, minutes
    where
        not is_retracted
        and dataset = any(string_to_array('{{ snapshots.values() | map(attribute="datasets") | join(" ") }}', ' '))
),

sessions as (
    select date
    from {{ ref('trading_calendar') }}
    where is_session
),

input_datasets (snapshot_name, datasets, complete_datasets) as (
    values
    {% for name, parts in snapshots.items() %}
    (
        '{{ name }}',
        string_to_array('{{ parts.datasets }}', ' '),
        string_to_array('{{ parts.complete }}', ' ')
    ){{ ',' if not loop.last }}
    {% endfor %}
),

changes as (
    {% for name, parts in snapshots.items() %}
    {% set is_last = loop.last %}
    {% for input in parts.inputs %}
    select
        '{{ name }}' as snapshot_name,
        (moments.known_at at time zone 'Asia/Seoul')::date as business_date
    from {{ ref(input) }} as beliefs
    cross join lateral (values (beliefs.known_from), (beliefs.known_to)) as moments (known_at)
    where moments.known_at is not null
    {{ 'union' if not (loop.last and is_last) }}
    {% endfor %}
    {% endfor %}
),

first_changes as (
    select
        snapshot_name,
        min(business_date) as first_date
    from changes
    group by snapshot_name
),

newest_answers as (
    select
        dataset,
        max(known_date) as newest_date
    from cells
    where status in ('SUCCESS', 'UNCHANGED', 'EMPTY')
    group by dataset
),

spans as (
    select
        first_changes.snapshot_name,
        input_datasets.datasets,
        input_datasets.complete_datasets,
        first_changes.first_date,
        max(newest_answers.newest_date) as newest_date
    from first_changes
    inner join input_datasets on first_changes.snapshot_name = input_datasets.snapshot_name
    inner join newest_answers on newest_answers.dataset = any(input_datasets.datasets)
    group by
        first_changes.snapshot_name, input_datasets.datasets, input_datasets.complete_datasets,
        first_changes.first_date
),

candidates as (
    -- a change that is announced ahead waits for an answer of its day or of a later one
    select
        changes.snapshot_name,
        changes.business_date,
        true as has_changes
    from changes
    inner join spans on changes.snapshot_name = spans.snapshot_name and changes.business_date <= spans.newest_date
    union all
    select
        spans.snapshot_name,
        sessions.date as business_date,
        false as has_changes
    from spans
    inner join sessions on sessions.date between spans.first_date and spans.newest_date
),

dates as (
    select
        snapshot_name,
        business_date,
        bool_or(has_changes) as has_changes,
        lag(business_date, 1, business_date - 1) over (
            partition by snapshot_name order by business_date
        ) as previous_date
    from candidates
    group by snapshot_name, business_date
),

-- what failed, and has not come since; made once, the planner would ask for it anew on every date
unanswered as materialized (
    select
        failed.dataset,
        failed.known_date,
        concat_ws(' ', failed.source, failed.dataset, failed.scope, 'of', failed.collection_date, 'is', failed.status)
            as cell
    from cells as failed
    left join cells as answered
        on
            failed.source = answered.source
            and failed.dataset = answered.dataset
            and failed.collection_date = answered.collection_date
            and failed.scope = answered.scope
            and answered.status in ('SUCCESS', 'UNCHANGED', 'EMPTY')
            and failed.ledger_id < answered.ledger_id
    where failed.status in ('FAILED', 'PARTIAL') and answered.ledger_id is null
),

final as (
    select
        dates.snapshot_name,
        spans.datasets,
        dates.business_date,
        dates.has_changes,
        min(unanswered.cell) as incomplete_cell
    from dates
    inner join spans on dates.snapshot_name = spans.snapshot_name
    left join unanswered
        on
            unanswered.dataset = any(spans.complete_datasets)
            and dates.previous_date < unanswered.known_date
            and dates.business_date >= unanswered.known_date
    group by dates.snapshot_name, spans.datasets, dates.business_date, dates.has_changes
)

select * from final
