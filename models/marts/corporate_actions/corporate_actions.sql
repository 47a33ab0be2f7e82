with

records as (
    select * from {{ ref('int_corporate_actions__recorded') }}
    where broken_rules = ''
),

-- several listings of one kind on one day are one action
final as (
    select
        stock_code::varchar(10) as stock_code,
        ex_date,
        kind::varchar(20) as kind,
        record_date,
        reason::varchar(200) as reason,
        max(listing_date) as listing_date,
        max(ratio)::numeric(24, 12) as ratio,
        max(cash_amount)::numeric(18, 4) as cash_amount,
        max(issue_price)::numeric(18, 4) as issue_price,
        sum(new_shares)::bigint as new_shares,
        -- told by base price ÷ previous close, not by records
        null::numeric(24, 12) as factor,
        null::integer as base_price,
        null::integer as previous_close,
        source::varchar(20) as source,
        min(first_fetched_at) as created_at
    from records
    group by stock_code, ex_date, kind, record_date, reason, source
)

select * from final
