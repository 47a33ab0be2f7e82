{#-
    Of the joins of this model the planner expects a row or two, whatever they give, because it takes what belongs together (an
    answer, its day, its type) for independent: by nested loops a day of the whole market, told type by type, took a minute and a
    half.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['investor_trading', 'ohlcv_daily']},
    sql_header='set local enable_nestloop = off;',
    indexes=[
        {'columns': ['trade_date']},
        {'columns': ['source', 'stock_code', 'trade_date', 'vendor_investor'], 'unique': true},
    ],
) }}

-- A source that tells bought and sold amounts of a type in one record, one that needs a call for each of them, and one
-- that tells a type of the whole market in one answer.
{% set whole_records = {
    'stg_infomax__stock_investor': 'infomax',
    'stg_kis__investor_trade_by_stock_daily': 'kis',
} %}
{% set single_amounts = {'stg_kiwoom__investors': 'kiwoom', 'stg_krx__portal_stock_investor_types': 'krx'} %}
{% set single_types = {'stg_krx__portal_investor_type': ['krx', 'invstTpCd']} %}
{% set labelled_sources = ['infomax', 'kis', 'kiwoom', 'krx'] %}
{% set amounts = ['buy_volume', 'sell_volume', 'buy_value', 'sell_value'] %}

{% set at_hand = and_in_answers_to_days_to_rebuild('flows.fetch_id') %}

with

cells as (
    select
        source,
        collection_date,
        scope,
        fetch_id,
        fetched_at,
        attempt_id,
        is_current
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'investor_trading'
        {{ and_in_days_to_rebuild('collection_date') }}
),

fetches as (
    select
        fetch_id,
        request
    from {{ ref('stg_ledger__fetches') }}
),

labels as (
    {% for source_name in labelled_sources %}
    select
        '{{ source_name }}' as source,
        vendor_label,
        investor_code
    from {{ ref(source_name ~ '_investor_labels') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- the day's own bar says what the shares cost and how many changed hands
bars as (
    select
        trade_date,
        stock_code,
        high_price,
        low_price,
        close_price,
        volume
    from {{ ref('int_daily_prices__chosen') }}
    where true
    {{ and_in_days_to_rebuild('trade_date') }}
),

value_units as (
    select
        source,
        factor
    from {{ ref('vendor_units') }}
    where dataset = 'investor_trading' and field = 'value'
),

{% for relation, (source_name, type_key) in single_types.items() %}
{{ relation }}_rows as (
    select
        cells.source,
        cells.attempt_id,
        cells.fetched_at,
        cells.is_current,
        flows.*
    from cells
    inner join {{ ref(relation) }} as flows
        on cells.fetch_id = flows.fetch_id and cells.collection_date = flows.trade_date
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
),

{{ relation }}_stocks as (
    select
        source,
        attempt_id,
        stock_code,
        trade_date,
        is_current
    from {{ relation }}_rows
    group by source, attempt_id, stock_code, trade_date, is_current
),

{{ relation }}_types as (
    select
        cells.attempt_id,
        fetches.request ->> '{{ type_key }}' as vendor_investor,
        max(cells.fetch_id) as fetch_id
    from cells
    inner join fetches on cells.fetch_id = fetches.fetch_id
    where cells.source = '{{ source_name }}' and fetches.request ? '{{ type_key }}'
    group by cells.attempt_id, fetches.request ->> '{{ type_key }}'
),

-- a type that did not trade a stock leaves it out of its answer: nothing bought, nothing sold. A row that is lost on
-- the way shows against the answer for all investors together
{{ relation }}_with_silent as (
    select
        source,
        attempt_id,
        stock_code,
        trade_date,
        vendor_investor,
        {% for amount in amounts %}
        {{ amount }},
        {% endfor %}
        unreadable_fields,
        fetch_id,
        row_number,
        fetched_at,
        is_current,
        true as is_told
    from {{ relation }}_rows
    union all
    select
        stocks.source,
        stocks.attempt_id,
        stocks.stock_code,
        stocks.trade_date,
        types.vendor_investor,
        {% for amount in amounts %}
        0 as {{ amount }},
        {% endfor %}
        '' as unreadable_fields,
        types.fetch_id,
        null as row_number,
        null as fetched_at,
        stocks.is_current,
        false as is_told
    from {{ relation }}_stocks as stocks
    inner join {{ relation }}_types as types on stocks.attempt_id = types.attempt_id
),

-- by windows, no join of the silent to the told: it would go by days, all rows of the one against all of the other
{{ relation }}_told as (
    select
        *,
        max(fetched_at) over stock_days as told_at,
        bool_or(is_told) over stock_types as is_told_by_type
    from {{ relation }}_with_silent
    window
        stock_days as (partition by attempt_id, stock_code, trade_date),
        stock_types as (partition by attempt_id, stock_code, trade_date, vendor_investor)
),
{% endfor %}

vendor_amounts as (
    {% for relation, source_name in whole_records.items() %}
    select
        cells.source,
        '{{ relation }}' as relation,
        flows.stock_code,
        flows.trade_date,
        flows.vendor_investor,
        flows.buy_volume,
        flows.sell_volume,
        flows.buy_value,
        flows.sell_value,
        flows.unreadable_fields,
        false as has_conflicting_amounts,
        flows.fetch_id,
        flows.row_number,
        cells.fetched_at,
        cells.is_current
    from cells
    inner join {{ ref(relation) }} as flows
        on cells.fetch_id = flows.fetch_id and cells.collection_date = flows.trade_date
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
    {% for relation, source_name in single_amounts.items() %}
    union all
    select
        cells.source,
        '{{ relation }}' as relation,
        flows.stock_code,
        flows.trade_date,
        flows.vendor_investor,
        max(flows.amount) filter (where flows.side = 'BUY' and flows.measure = 'VOLUME') as buy_volume,
        max(flows.amount) filter (where flows.side = 'SELL' and flows.measure = 'VOLUME') as sell_volume,
        max(flows.amount) filter (where flows.side = 'BUY' and flows.measure = 'VALUE') as buy_value,
        max(flows.amount) filter (where flows.side = 'SELL' and flows.measure = 'VALUE') as sell_value,
        max(flows.unreadable_fields) as unreadable_fields,
        -- the same amount twice with different values; only one of each would survive the grouping
        count(distinct row(flows.side, flows.measure, flows.amount))
        > count(distinct row(flows.side, flows.measure))
            as has_conflicting_amounts,
        -- one row is made of several answers: the last of them stands for the attempt
        max(flows.fetch_id) as fetch_id,
        max(flows.row_number) as row_number,
        max(cells.fetched_at) as fetched_at,
        bool_and(cells.is_current) as is_current
    from cells
    inner join {{ ref(relation) }} as flows
        on cells.fetch_id = flows.fetch_id and cells.collection_date = flows.trade_date
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
    group by cells.source, cells.attempt_id, flows.stock_code, flows.trade_date, flows.vendor_investor
    {% endfor %}
    {% for relation in single_types %}
    union all
    select
        source,
        '{{ relation }}' as relation,
        stock_code,
        trade_date,
        vendor_investor,
        {% for amount in amounts %}
        {{ amount }},
        {% endfor %}
        unreadable_fields,
        false as has_conflicting_amounts,
        fetch_id,
        row_number,
        told_at as fetched_at,
        is_current
    from {{ relation }}_told
    where is_told or not is_told_by_type
    {% endfor %}
),

-- two ways to the same numbers of one source are not mixed: the newest one speaks for a stock and day
told_ways as (
    select
        *,
        first_value(relation) over newest_first as newest_relation,
        first_value(is_current) over newest_first as has_current_answer
    from vendor_amounts
    window newest_first as (partition by source, stock_code, trade_date order by is_current desc, fetch_id desc)
),

unioned as (
    select
        told_ways.*,
        labels.investor_code,
        coalesce(value_units.factor, 1) as value_unit
    from told_ways
    left join labels
        on told_ways.source = labels.source and told_ways.vendor_investor = labels.vendor_label
    left join value_units on told_ways.source = value_units.source
    where told_ways.relation = told_ways.newest_relation and told_ways.has_current_answer
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
        has_conflicting_amounts
        or min(values_hash) over answer_rows <> max(values_hash) over answer_rows as has_conflicting_duplicate,
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
        investor_code in ('INSTITUTION_TOTAL', 'FOREIGN_TOTAL', 'EVERYBODY') as is_total,
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
        sum(buy_volume - sell_volume) filter (where not is_total) over stock_days as leaves_net_volume,
        sum(buy_value - sell_value) filter (where not is_total) over stock_days as leaves_net_value,
        -- each of the vendor's numbers may be off by one of its units
        2 * value_unit * count(*) filter (where not is_total) over stock_days as value_tolerance,
        {% for amount in amounts %}
        sum({{ amount }}) filter (where is_institution_part) over stock_days as institutions_{{ amount }},
        sum({{ amount }}) filter (where is_institution_part and not is_government)
            over stock_days as institutions_without_government_{{ amount }},
        sum({{ amount }}) filter (where is_foreign_part) over stock_days as foreigners_{{ amount }},
        max({{ amount }}) filter (where investor_code = 'INSTITUTION_TOTAL')
            over stock_days as institution_total_{{ amount }},
        max({{ amount }}) filter (where investor_code = 'FOREIGN_TOTAL')
            over stock_days as foreign_total_{{ amount }},
        sum({{ amount }}) filter (where not is_total) over stock_days as leaves_{{ amount }},
        max({{ amount }}) filter (where investor_code = 'EVERYBODY')
            over stock_days as everybody_{{ amount }}{{ ',' if not loop.last }}
        {% endfor %}
    from current_rows
    window stock_days as (partition by source, stock_code, trade_date)
),

with_bars as (
    select
        summed.*,
        bars.volume as day_volume,
        greatest(bars.high_price, bars.close_price) as day_high,
        least(bars.low_price, bars.close_price) as day_low
    from summed
    -- a left join in effect. The planner takes the rows before for one and would compare each with every bar; a full
    -- join it can only hash or merge, and it does not see that this condition makes a left join of it
    full join bars on summed.stock_code = bars.stock_code and summed.trade_date = bars.trade_date
    where coalesce(summed.source, '') <> ''
),

checked as (
    select
        *,
        array_remove(
            array[
                case when {{ is_no_stock_code('stock_code') }} then 'CODE_MALFORMED' end,
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
                case
                    when leaves_net_volume <> 0 or abs(leaves_net_value) > value_tolerance then 'FLOWS_UNBALANCED'
                end,
                case
                    when
                        -- by name alone it is open whether the vendor's total holds the government: either sum will do,
                        -- but it must be the same one for every amount
                        not (
                            {% for amount in amounts %}
                            abs(institution_total_{{ amount }} - institutions_{{ amount }})
                            <= {{ '0' if amount.endswith('volume') else 'value_tolerance' }}
                            {{ 'and' if not loop.last }}
                            {% endfor %}
                        )
                        and not (
                            {% for amount in amounts %}
                            abs(institution_total_{{ amount }} - institutions_without_government_{{ amount }})
                            <= {{ '0' if amount.endswith('volume') else 'value_tolerance' }}
                            {{ 'and' if not loop.last }}
                            {% endfor %}
                        )
                        {% for amount in amounts %}
                        or abs(foreign_total_{{ amount }} - foreigners_{{ amount }})
                        > {{ '0' if amount.endswith('volume') else 'value_tolerance' }}
                        or abs(everybody_{{ amount }} - leaves_{{ amount }})
                        > {{ '0' if amount.endswith('volume') else 'value_tolerance' }}
                        {% endfor %}
                        then 'TOTAL_NOT_SUM'
                end,
                case
                    when
                        leaves_buy_value > 10 * leaves_buy_volume * day_high + value_tolerance
                        or 10 * (leaves_buy_value + value_tolerance) < leaves_buy_volume * day_low
                        then 'VALUE_WRONG_UNIT'
                end,
                -- zeros in place of what is not known yet
                case
                    when greatest(leaves_buy_volume, leaves_sell_volume) = 0 and day_volume > 0 then 'NOBODY_TRADED'
                end
            ],
            null
        ) as broken_group_rules,
        -- off-hours trades are counted by one vendor and not by the other: odd by more than a hundredth. Named once.
        case
            when
                abs(leaves_buy_volume - day_volume) > 0.01 * day_volume
                and vendor_investor = min(vendor_investor) over (partition by source, stock_code, trade_date)
                then 'VOLUME_NOT_OF_DAY'
            else ''
        end as warned_rules
    from with_bars
),

{% set reviewed = ['investor_trading', 'broken_row_rules || broken_group_rules', 'trade_date', 'vendor_investor'] %}
reviewed as (
    select
        *,
        {{ unreviewed(*reviewed) }} as own_broken_rules,
        {{ lifted_rules(*reviewed) }} as reviewed_rules
    from checked
),

-- flows of a stock and day are published whole or not at all: one bad leaf makes every sum wrong
held as (
    select
        *,
        max(cardinality(own_broken_rules)) over (partition by source, stock_code, trade_date) > 0 as is_held_back
    from reviewed
),

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
        case
            when own_broken_rules = '{}' and is_held_back then 'HELD_WITH_ITS_GROUP'
            else array_to_string(own_broken_rules, ',')
        end as broken_rules,
        reviewed_rules,
        case when is_held_back then '' else warned_rules end as warned_rules,
        is_held_back,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from held
)

select * from final
