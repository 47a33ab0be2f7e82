with

records as (
    select * from {{ ref('int_corporate_actions__recorded') }}
    where broken_rules = ''
),

factors as (
    select * from {{ ref('adjustment_factors') }}
),

bars as (
    select
        stock_code,
        time
    from {{ ref('ohlcv_daily') }}
),

-- several listings of one kind on one day are one action
recorded as (
    select
        stock_code,
        ex_date,
        kind,
        record_date,
        reason,
        max(listing_date) as listing_date,
        max(ratio) as ratio,
        max(cash_amount) as cash_amount,
        max(issue_price) as issue_price,
        sum(new_shares) as new_shares,
        source,
        min(first_fetched_at) as created_at
    from records
    group by stock_code, ex_date, kind, record_date, reason, source
),

-- Few keys, so that the bars are looked up and not read through.
bars_of_ex_dates as (
    select
        bars.stock_code,
        bars.time
    from (
        select distinct
            stock_code,
            ex_date
        from recorded
        where kind not in ('DIVIDEND', 'LISTING')
    ) as ex_dates
    inner join bars
        on ex_dates.stock_code = bars.stock_code and ex_dates.ex_date = bars.time
),

-- Cash and listings do not move a base price. A dividend takes the factor of its day only where it names that factor.
priced as (
    select
        recorded.stock_code,
        recorded.ex_date,
        recorded.kind,
        recorded.record_date,
        recorded.reason,
        recorded.listing_date,
        recorded.ratio,
        recorded.cash_amount,
        recorded.issue_price,
        recorded.new_shares,
        factors.factor,
        factors.base_price,
        factors.previous_close,
        case
            when factors.kind is not null then null
            when factors.reason is not null then factors.reason
            when recorded.kind in ('DIVIDEND', 'LISTING') then 'NOT_ADJUSTING'
            when bars_of_ex_dates.stock_code is not null then 'BASE_UNCHANGED'
            else 'NO_BAR'
        end as factor_reason,
        recorded.source,
        recorded.created_at
    from recorded
    left join factors
        on
            recorded.stock_code = factors.stock_code
            and recorded.ex_date = factors.ex_date
            and recorded.kind <> 'LISTING'
            and (recorded.kind <> 'DIVIDEND' or factors.kind = 'SPECIAL_DIVIDEND')
    left join bars_of_ex_dates
        on recorded.stock_code = bars_of_ex_dates.stock_code and recorded.ex_date = bars_of_ex_dates.time
),

-- what the exchange made of an action of which no record is at hand
unrecorded as (
    select
        factors.stock_code,
        factors.ex_date,
        factors.kind,
        null::date as record_date,
        '기준가 변경' as reason,
        null::date as listing_date,
        factors.ratio,
        null::numeric as cash_amount,
        null::numeric as issue_price,
        null::numeric as new_shares,
        factors.factor,
        factors.base_price,
        factors.previous_close,
        factors.reason as factor_reason,
        factors.source,
        factors.created_at
    from factors
    left join priced
        on
            factors.stock_code = priced.stock_code
            and factors.ex_date = priced.ex_date
            and priced.factor is not null
    where factors.kind is not null and priced.stock_code is null
),

unioned as (
    select * from priced
    union all
    select * from unrecorded
),

final as (
    select
        {{ surrogate_id(['stock_code', 'ex_date', 'kind', 'record_date', 'reason']) }} as id,
        stock_code::varchar(10) as stock_code,
        ex_date,
        kind::varchar(20) as kind,
        record_date,
        reason::varchar(200) as reason,
        listing_date,
        ratio::numeric(24, 12) as ratio,
        cash_amount::numeric(18, 4) as cash_amount,
        issue_price::numeric(18, 4) as issue_price,
        new_shares::bigint as new_shares,
        factor::numeric(24, 12) as factor,
        base_price::integer as base_price,
        previous_close::integer as previous_close,
        factor_reason::varchar(20) as factor_reason,
        source::varchar(20) as source,
        created_at
    from unioned
)

select * from final
