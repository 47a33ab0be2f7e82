-- Rows that broke a rule in the answers of the report's days: kept out, or published with a warning.
with

clock as (
    select checked_at from {{ ref('stg_audit__warehouse') }}
),

rejected as (
    select
        dataset,
        source,
        stock_code,
        trade_date,
        rule_id,
        reason_ko,
        reason_en,
        fetched_at
    from {{ ref('rejected_rows') }}
),

warned as (
    select
        dataset,
        source,
        stock_code,
        trade_date,
        rule_id,
        reason_ko,
        reason_en,
        fetched_at
    from {{ ref('warned_rows') }}
),

unioned as (
    select
        'REJECTED' as outcome,
        *
    from rejected
    union all
    select
        'WARNED' as outcome,
        *
    from warned
),

final as (
    select
        unioned.outcome,
        unioned.dataset,
        unioned.rule_id,
        unioned.source,
        min(unioned.reason_ko) as reason_ko,
        min(unioned.reason_en) as reason_en,
        count(*) as row_count,
        count(distinct unioned.stock_code) as stock_count,
        max(unioned.trade_date) as newest_date
    from unioned
    inner join clock on unioned.fetched_at > clock.checked_at - interval '{{ var('report_days') }} days'
    group by unioned.outcome, unioned.dataset, unioned.rule_id, unioned.source
)

select * from final
