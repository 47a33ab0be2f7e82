{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['investor_trading']},
    indexes=[
        {'columns': ['trade_date']},
        {'columns': ['source', 'stock_code', 'trade_date', 'vendor_investor'], 'unique': true},
    ],
) }}

with

cells as (
    select
        source,
        collection_date,
        scope,
        fetch_id,
        fetched_at,
        is_current
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'investor_trading'
        {{ and_in_days_to_rebuild('collection_date') }}
),

infomax_rows as (
    select * from {{ ref('stg_infomax__stock_investor') }}
),

infomax_labels as (
    select
        vendor_label,
        investor_code
    from {{ ref('infomax_investor_labels') }}
),

unioned as (
    select
        cells.source,
        infomax_rows.stock_code,
        infomax_rows.trade_date,
        infomax_rows.vendor_investor,
        infomax_labels.investor_code,
        infomax_rows.buy_volume,
        infomax_rows.sell_volume,
        infomax_rows.buy_value,
        infomax_rows.sell_value,
        infomax_rows.unreadable_fields,
        infomax_rows.fetch_id,
        infomax_rows.row_number,
        cells.fetched_at,
        cells.is_current
    from cells
    inner join infomax_rows
        on
            cells.fetch_id = infomax_rows.fetch_id
            and cells.collection_date = infomax_rows.trade_date
            and cells.scope = infomax_rows.stock_code
    left join infomax_labels on infomax_rows.vendor_investor = infomax_labels.vendor_label
    where cells.source = 'infomax'
),

hashed as (
    select
        *,
        -- one number says whether two rows hold the same values, missing ones included
        hash_record_extended(
            row(buy_volume, sell_volume, buy_value, sell_value),
            0
        ) as values_hash
    from unioned
),

compared as (
    select
        *,
        min(fetched_at) over vendor_rows as first_fetched_at,
        min(values_hash) over answer_rows <> max(values_hash) over answer_rows as has_conflicting_duplicate,
        row_number() over (
            partition by source, stock_code, trade_date, vendor_investor
            order by is_current desc, fetch_id desc, row_number
        ) as recency
    from hashed
    window
        vendor_rows as (partition by source, stock_code, trade_date, vendor_investor),
        answer_rows as (partition by source, stock_code, trade_date, vendor_investor, fetch_id)
),

current_rows as (
    select
        *,
        vendor_investor in ('정부', '7000') as is_government,
        investor_code in ('INSTITUTION_TOTAL', 'FOREIGN_TOTAL') as is_total,
        investor_code in ('FOREIGNER', 'OTHER_FOREIGNER') as is_foreign_part,
        investor_code in (
            'FINANCIAL_INVESTMENT', 'INSURANCE', 'INVESTMENT_TRUST', 'PRIVATE_FUND', 'BANK', 'OTHER_FINANCE', 'PENSION'
        ) as is_institution_part
    from compared
    where is_current and recency = 1
),

summed as (
    select
        *,
        count(*) filter (where not is_total and investor_code <> 'PENSION') over stock_days as single_leaf_count,
        count(*) filter (where investor_code = 'PENSION') over stock_days as pension_row_count,
        sum(buy_volume) filter (where not is_total) over stock_days as leaves_bought,
        sum(sell_volume) filter (where not is_total) over stock_days as leaves_sold,
        sum(buy_volume) filter (where is_institution_part) over stock_days as institutions_bought,
        sum(sell_volume) filter (where is_institution_part) over stock_days as institutions_sold,
        sum(buy_volume) filter (where is_institution_part and is_government) over stock_days as government_bought,
        sum(sell_volume) filter (where is_institution_part and is_government) over stock_days as government_sold,
        sum(buy_volume) filter (where is_foreign_part) over stock_days as foreigners_bought,
        sum(sell_volume) filter (where is_foreign_part) over stock_days as foreigners_sold,
        max(buy_volume) filter (where investor_code = 'INSTITUTION_TOTAL') over stock_days as institution_total_bought,
        max(sell_volume) filter (where investor_code = 'INSTITUTION_TOTAL') over stock_days as institution_total_sold,
        max(buy_volume) filter (where investor_code = 'FOREIGN_TOTAL') over stock_days as foreign_total_bought,
        max(sell_volume) filter (where investor_code = 'FOREIGN_TOTAL') over stock_days as foreign_total_sold
    from current_rows
    window stock_days as (partition by source, stock_code, trade_date)
),

checked as (
    select
        *,
        array_remove(
            array[
                case when stock_code !~ '^[0-9][0-9A-Z]{5}$' then 'CODE_MALFORMED' end,
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case
                    when num_nulls(buy_volume, sell_volume, buy_value, sell_value) > 0 then 'VALUE_MISSING'
                end,
                case when least(buy_volume, sell_volume, buy_value, sell_value) < 0 then 'VALUE_NEGATIVE' end,
                -- what no column of the marts could hold would stop the build for everybody
                case when greatest(buy_volume, sell_volume, buy_value, sell_value) > 1e18 then 'VALUE_OUT_OF_RANGE' end,
                case
                    when
                        num_nonnulls(
                            nullif(buy_volume % 1, 0), nullif(sell_volume % 1, 0), nullif(buy_value % 1, 0),
                            nullif(sell_value % 1, 0)
                        ) > 0
                        then 'COUNT_NOT_WHOLE'
                end,
                case when investor_code is null then 'INVESTOR_UNKNOWN' end,
                case when has_conflicting_duplicate then 'CONFLICTING_DUPLICATE' end
            ],
            null
        ) as broken_row_rules,
        array_remove(
            array[
                case when single_leaf_count <> 10 or pension_row_count = 0 then 'LEAVES_INCOMPLETE' end,
                case when leaves_bought <> leaves_sold then 'FLOWS_UNBALANCED' end,
                case
                    when
                        -- by name alone it is open whether the vendor's total holds the government: either sum will do
                        not (
                            (institution_total_bought, institution_total_sold)
                            = (institutions_bought, institutions_sold)
                            or (institution_total_bought, institution_total_sold)
                            = (
                                institutions_bought - coalesce(government_bought, 0),
                                institutions_sold - coalesce(government_sold, 0)
                            )
                        )
                        or (foreign_total_bought, foreign_total_sold) <> (foreigners_bought, foreigners_sold)
                        then 'TOTAL_NOT_SUM'
                end
            ],
            null
        ) as broken_group_rules
    from summed
),

-- flows of a stock and day are published whole or not at all: one bad leaf makes every sum wrong
final as (
    select
        source,
        stock_code,
        trade_date,
        vendor_investor,
        investor_code,
        buy_volume,
        sell_volume,
        buy_value,
        sell_value,
        array_to_string(broken_row_rules || broken_group_rules, ',') as broken_rules,
        max(cardinality(broken_row_rules || broken_group_rules))
            over (partition by source, stock_code, trade_date) > 0 as is_held_back,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from checked
)

select * from final
