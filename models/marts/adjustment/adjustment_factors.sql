with

computed as (
    select * from {{ ref('int_adjustment_factors__computed') }}
),

records as (
    select
        stock_code,
        ex_date,
        kind,
        ratio
    from {{ ref('int_corporate_actions__recorded') }}
    where broken_rules = '' and kind <> 'LISTING'
),

-- several records of one ex-date: what changes the shares names the day, a dividend only where nothing else does
named as (
    select distinct on (stock_code, ex_date)
        stock_code,
        ex_date,
        case kind when 'DIVIDEND' then 'SPECIAL_DIVIDEND' else kind end as kind,
        ratio
    from records
    order by
        stock_code,
        ex_date,
        array_position(
            array[
                'SPLIT', 'REVERSE_SPLIT', 'CAPITAL_REDUCTION', 'SPIN_OFF', 'BONUS', 'RIGHTS', 'STOCK_DIVIDEND',
                'MERGER', 'EXCHANGE', 'DIVIDEND'
            ],
            kind
        ),
        ratio desc nulls last
),

measured as (
    select
        computed.*,
        named.kind as recorded_kind,
        named.ratio as recorded_ratio,
        case
            -- shares of a fund come and go every day, and it is split by whole numbers
            when computed.is_fund and computed.factor < 1 then round(1 / computed.factor)
            when computed.is_fund then 1 / round(computed.factor)
            else computed.shares::numeric / nullif(computed.previous_shares, 0)
        end as shares_ratio,
        -- new shares for one held that would explain the base, were it a bonus issue
        round(computed.previous_close::numeric / computed.base_price) - 1 as whole_allotment
    from computed
    left join named on computed.stock_code = named.stock_code and computed.trade_date = named.ex_date
),

-- What figures alone can tell. A reverse split turns one legal par value into another (100, 200, 500, 1,000, 2,500,
-- 5,000, 10,000 won), a capital reduction goes by any ratio: where the ratio is one of par values it may be either.
inferred as (
    select
        *,
        case
            -- a fund pays out what it has earned, and the exchange takes that off its base
            when is_fund and factor >= 0.8 and factor < 1 then 'DISTRIBUTION'
            -- no auction finds a fund's base, and it issues no bonus and reduces no capital
            when is_fund and abs(factor * shares_ratio - 1) < 0.01 and factor < 1 then 'SPLIT'
            when is_fund and abs(factor * shares_ratio - 1) < 0.01 then 'CONSOLIDATION'
            when is_fund then 'UNKNOWN'
            when shares_ratio = 1 and is_opened_at_base then 'AUCTION_RESET'
            when
                shares_ratio = 1
                and whole_allotment >= 1
                and abs(base_price - previous_close / (1 + whole_allotment)) < tick
                then 'BONUS'
            when shares_ratio > 1 and factor < 1 and abs(factor * shares_ratio - 1) < 0.01 then 'SPLIT'
            when shares_ratio < 1 and factor < 1 then 'SPIN_OFF'
            when
                shares_ratio < 1
                and factor > 1
                and round(1 / shares_ratio, 3) in (2, 2.5, 4, 5, 10, 12.5, 20, 25, 50, 100)
                then 'CONSOLIDATION'
            when shares_ratio < 1 and factor > 1 then 'CAPITAL_REDUCTION'
            else 'UNKNOWN'
        end as inferred_kind
    from measured
),

explained as (
    select
        *,
        case
            when reason <> 'BASE_CHANGED' then null
            -- a merger is what such an auction follows, and cash moves no base; an issue to holders is another reason
            when
                inferred_kind = 'AUCTION_RESET'
                and coalesce(recorded_kind not in ('BONUS', 'RIGHTS', 'STOCK_DIVIDEND'), true)
                then 'AUCTION_RESET'
            else coalesce(recorded_kind, inferred_kind)
        end as kind
    from inferred
),

final as (
    select
        stock_code,
        trade_date as ex_date,
        kind::varchar(20) as kind,
        case
            when kind = recorded_kind then recorded_ratio
            when kind in ('SPLIT', 'CONSOLIDATION', 'CAPITAL_REDUCTION') then shares_ratio
            when kind = 'BONUS' then whole_allotment
        end::numeric(24, 12) as ratio,
        factor,
        case
            when kind = 'AUCTION_RESET' then 1
            -- the reopening after it began with an auction, whose price is a return and no part of the action
            when
                kind in ('REVERSE_SPLIT', 'CONSOLIDATION', 'CAPITAL_REDUCTION')
                and is_opened_at_base
                and previous_volume = 0
                then 1 / shares_ratio
            else factor
        end::numeric(24, 12) as total_return_factor,
        base_price,
        previous_close,
        case
            when kind is null then reason
            when kind = 'AUCTION_RESET' then 'OPENED_AT_BASE'
            when kind = 'UNKNOWN' then 'NOT_EXPLAINED'
            when kind in (recorded_kind) then 'RECORDED'
            when kind = 'DISTRIBUTION' then 'FUND_PAID_OUT'
            when kind = 'BONUS' then 'WHOLE_ALLOTMENT'
            else 'SHARES_CHANGED'
        end::varchar(20) as reason,
        source,
        created_at
    from explained
)

select * from final
