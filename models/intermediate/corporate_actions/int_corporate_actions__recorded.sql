-- Records of the depository: what was decided, as the newest look at a record date tells it.

with

cells as (
    select
        source,
        scope,
        attempt_id,
        fetch_id,
        fetched_at
    from {{ ref('int_collection__successful_cells') }}
    where dataset = 'corporate_actions' and source = 'kis'
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

calendar as (
    select
        date,
        previous_session,
        is_session
    from {{ ref('trading_calendar') }}
),

splits as (
    select * from {{ ref('stg_kis__ksdinfo_rev_split') }}
),

bonus_issues as (
    select * from {{ ref('stg_kis__ksdinfo_bonus_issue') }}
),

rights_issues as (
    select * from {{ ref('stg_kis__ksdinfo_paidin_capin') }}
),

reductions as (
    select * from {{ ref('stg_kis__ksdinfo_cap_dcrs') }}
),

mergers as (
    select * from {{ ref('stg_kis__ksdinfo_merger_split') }}
),

listings as (
    select * from {{ ref('stg_kis__ksdinfo_list_info') }}
),

dividends as (
    select * from {{ ref('stg_kis__ksdinfo_dividend') }}
),

-- `ratio` is new shares for one held; of a split, all shares afterwards for one before
unioned as (
    select
        'rev-split' as record_kind,
        stock_code,
        case when par_after > par_before then 'REVERSE_SPLIT' else 'SPLIT' end as kind,
        record_date,
        null::date as named_ex_date,
        listing_date,
        par_before / nullif(par_after, 0) as ratio,
        null::numeric as cash_amount,
        null::numeric as issue_price,
        null::numeric as new_shares,
        '액면교체 ' || par_before || ' → ' || par_after as reason,
        coalesce(par_before > 0 and par_after > 0 and par_before <> par_after, false) as has_entitlement,
        unreadable_fields,
        fetch_id,
        row_number
    from splits
    union all
    select
        'bonus-issue' as record_kind,
        stock_code,
        'BONUS' as kind,
        record_date,
        ex_right_date as named_ex_date,
        listing_date,
        allotment_percent / 100 as ratio,
        null::numeric as cash_amount,
        null::numeric as issue_price,
        new_shares,
        '무상증자' as reason,
        coalesce(allotment_percent > 0, false) as has_entitlement,
        unreadable_fields,
        fetch_id,
        row_number
    from bonus_issues
    union all
    select
        'paidin-capin' as record_kind,
        stock_code,
        'RIGHTS' as kind,
        record_date,
        ex_right_date as named_ex_date,
        listing_date,
        allotment_percent / 100 as ratio,
        null::numeric as cash_amount,
        issue_price,
        new_shares,
        '유상증자' as reason,
        -- shares for third parties give holders nothing: there is no ex-date
        coalesce(allotment_percent > 0, false) as has_entitlement,
        unreadable_fields,
        fetch_id,
        row_number
    from rights_issues
    union all
    select
        'cap-dcrs' as record_kind,
        stock_code,
        'CAPITAL_REDUCTION' as kind,
        record_date,
        null::date as named_ex_date,
        listing_date,
        case computation
            when '곱하기' then reduction_rate
            when '나누기' then 1 / nullif(reduction_rate, 0)
        end as ratio,
        null::numeric as cash_amount,
        null::numeric as issue_price,
        null::numeric as new_shares,
        coalesce(reduction_kind, '자본감소') as reason,
        coalesce(reduction_rate > 0 and computation in ('곱하기', '나누기'), false) as has_entitlement,
        unreadable_fields,
        fetch_id,
        row_number
    from reductions
    union all
    select
        'merger-split' as record_kind,
        stock_code,
        case
            when merger_kind like '%분할합병%' then 'MERGER'
            when merger_kind like '%분할%' then 'SPIN_OFF'
            when merger_kind like '%합병%' then 'MERGER'
            else 'EXCHANGE'
        end as kind,
        record_date,
        null::date as named_ex_date,
        listing_date,
        exchange_ratio as ratio,
        null::numeric as cash_amount,
        null::numeric as issue_price,
        new_shares,
        concat_ws(' ', merger_kind, company_name, other_company_name) as reason,
        true as has_entitlement,
        unreadable_fields,
        fetch_id,
        row_number
    from mergers
    union all
    select
        'list-info' as record_kind,
        stock_code,
        'LISTING' as kind,
        listing_date as record_date,
        null::date as named_ex_date,
        listing_date,
        null::numeric as ratio,
        null::numeric as cash_amount,
        issue_price,
        new_shares,
        coalesce(issue_kind, '상장') as reason,
        true as has_entitlement,
        unreadable_fields,
        fetch_id,
        row_number
    from listings
    union all
    select
        'dividend' as record_kind,
        dividends.stock_code,
        entitlements.kind,
        dividends.record_date,
        null::date as named_ex_date,
        null::date as listing_date,
        case when entitlements.kind = 'STOCK_DIVIDEND' then entitlements.amount / 100 end as ratio,
        case when entitlements.kind = 'DIVIDEND' then entitlements.amount end as cash_amount,
        null::numeric as issue_price,
        null::numeric as new_shares,
        coalesce(dividends.dividend_kind, '배당') as reason,
        coalesce(entitlements.amount > 0, false) as has_entitlement,
        dividends.unreadable_fields,
        dividends.fetch_id,
        dividends.row_number
    from dividends
    cross join lateral (
        values ('DIVIDEND', dividends.cash_dividend), ('STOCK_DIVIDEND', dividends.stock_dividend_percent)
    ) as entitlements (kind, amount)
    -- most dividends are cash alone: a stock dividend of nothing is no record
    where entitlements.kind = 'DIVIDEND' or entitlements.amount > 0
),

-- the newest look at each record date
looks as (
    select
        cells.scope as record_kind,
        looked_at.day::date as record_date,
        max(cells.attempt_id) as newest_attempt_id
    from cells
    inner join fetches on cells.fetch_id = fetches.fetch_id
    cross join lateral generate_series(
        {{ to_date8("fetches.request ->> 'F_DT'") }}::timestamp,
        {{ to_date8("fetches.request ->> 'T_DT'") }}::timestamp,
        '1 day'
    ) as looked_at (day)
    group by cells.scope, looked_at.day
),

collected as (
    select
        unioned.*,
        cells.source,
        cells.attempt_id,
        cells.fetched_at,
        min(cells.fetched_at) over (
            partition by unioned.record_kind, unioned.stock_code, unioned.kind, unioned.record_date, unioned.reason
        ) as first_fetched_at
    from unioned
    inner join cells on unioned.fetch_id = cells.fetch_id and unioned.record_kind = cells.scope
),

current_records as (
    select
        collected.*,
        row_number() over (
            partition by
                collected.record_kind,
                collected.stock_code,
                collected.kind,
                collected.record_date,
                collected.reason,
                -- several listings of a kind on a day are several records
                case when collected.kind = 'LISTING' then collected.row_number end
            order by collected.fetch_id desc, collected.row_number
        ) as recency
    from collected
    left join looks
        on collected.record_kind = looks.record_kind and collected.record_date = looks.record_date
    -- a record whose date cannot be read belongs to no look and is rejected below
    where collected.attempt_id = looks.newest_attempt_id or collected.record_date is null
),

-- Trades settle on the second business day after (T+2): who buys on the session before the record date is no holder on
-- it. So that session is the ex-date of what holders are entitled to; a record date without a session counts as the
-- last one before. A split, a reduction or a merger changes the shares themselves: it takes effect where the new ones
-- begin to trade.
dated as (
    select
        current_records.*,
        case
            when current_records.kind in ('BONUS', 'RIGHTS')
                then coalesce(current_records.named_ex_date, last_sessions.previous_session)
            when current_records.kind in ('DIVIDEND', 'STOCK_DIVIDEND') then last_sessions.previous_session
            else current_records.listing_date
        end as ex_date
    from current_records
    left join calendar as record_days on current_records.record_date = record_days.date
    left join calendar as last_sessions
        on
            case when record_days.is_session then record_days.date else record_days.previous_session end
            = last_sessions.date
    where current_records.recency = 1
),

checked as (
    select
        dated.*,
        array_remove(
            array[
                case when {{ is_no_stock_code('dated.stock_code') }} then 'CODE_MALFORMED' end,
                case when dated.unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case
                    when dated.unreadable_fields = '' and not dated.has_entitlement then 'NO_ENTITLEMENT'
                end,
                case when dated.ex_date is null then 'EX_DATE_UNKNOWN' end,
                case when not coalesce(ex_days.is_session, true) then 'EX_DATE_NO_SESSION' end,
                case
                    when
                        dated.kind in ('BONUS', 'RIGHTS', 'DIVIDEND', 'STOCK_DIVIDEND')
                        and dated.ex_date > dated.record_date
                        then 'EX_DATE_AFTER_RECORD_DATE'
                end
            ],
            null
        ) as broken_rules
    from dated
    left join calendar as ex_days on dated.ex_date = ex_days.date
),

{% set reviewed = ['corporate_actions', 'broken_rules', 'coalesce(record_date, listing_date)', 'kind'] %}
final as (
    select
        source,
        stock_code,
        coalesce(record_date, listing_date) as trade_date,
        kind,
        ex_date,
        record_date,
        listing_date,
        trim_scale(ratio) as ratio,
        cash_amount,
        issue_price,
        new_shares,
        reason,
        array_to_string({{ unreviewed(*reviewed) }}, ',') as broken_rules,
        {{ lifted_rules(*reviewed) }} as reviewed_rules,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from checked
)

select * from final
