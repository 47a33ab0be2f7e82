{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'trade_date', 'datasets': ['etf_portfolios']},
    indexes=[
        {'columns': ['trade_date']},
        {'columns': ['source', 'stock_code', 'trade_date', 'row_number'], 'unique': true},
    ],
) }}

{% set relations = {
    'stg_infomax__etf_port': 'infomax',
    'stg_krx__portal_etf_portfolios': 'krx',
    'stg_kis__component_stock_price': 'kis',
} %}

{% set at_hand = and_in_answers_to_days_to_rebuild('rows_of_source.fetch_id') %}

with

cells as (
    select
        source,
        collection_date,
        fetch_id,
        fetched_at,
        is_current
    from {{ ref('int_collection__successful_cells') }}
    where
        dataset = 'etf_portfolios'
        {{ and_in_days_to_rebuild('collection_date') }}
),

component_types as (
    select * from {{ ref('etf_component_types') }}
),

unioned as (
    {% for relation, source_name in relations.items() %}
    select
        cells.source,
        rows_of_source.etf_code,
        rows_of_source.base_date,
        rows_of_source.component_code,
        rows_of_source.component_isin,
        rows_of_source.component_name,
        rows_of_source.shares,
        rows_of_source.valuation_krw,
        rows_of_source.weight,
        rows_of_source.total_valuation_krw,
        {{ 'rows_of_source.stated_components' if relation == 'stg_infomax__etf_port' else 'null::numeric' }}
            as stated_components,
        rows_of_source.unreadable_fields,
        rows_of_source.fetch_id,
        rows_of_source.row_number,
        cells.fetched_at,
        cells.is_current
    from cells
    inner join {{ ref(relation) }} as rows_of_source
        on
            cells.fetch_id = rows_of_source.fetch_id
            and cells.collection_date = rows_of_source.base_date
    where
        cells.source = '{{ source_name }}'
        {{ at_hand }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- a line without a code goes by its ISIN, and one without either by its name: cash and contracts of some funds
named as (
    select
        *,
        coalesce(component_code, component_isin, component_name) as component_key
    from unioned
),

compared as (
    select
        *,
        min(fetched_at) over (partition by source, etf_code, base_date, component_key) as first_fetched_at,
        -- a portfolio comes whole in one answer: the newest current one speaks
        dense_rank() over (
            partition by source, etf_code, base_date order by is_current desc, fetch_id desc
        ) as recency
    from named
),

typed as (
    select
        compared.*,
        coalesce(matched.component_type, 'OTHER') as component_type,
        coalesce(matched.counts_in_weight, true) as counts_in_weight
    from compared
    left join lateral (
        select
            component_types.component_type,
            component_types.counts_in_weight
        from component_types
        where
            (component_types.code_pattern is null or compared.component_code ~* component_types.code_pattern)
            and (component_types.isin_pattern is null or compared.component_isin ~* component_types.isin_pattern)
            and (component_types.name_pattern is null or compared.component_name ~* component_types.name_pattern)
        order by component_types.rule_number
        limit 1
    ) as matched on true
    where compared.is_current and compared.recency = 1
),

summed as (
    select
        *,
        sum(weight) over portfolios as vendor_weight_sum,
        -- weights of the lines that have an amount, against the percentage that their amounts make
        sum(weight) filter (where valuation_krw > 0) over portfolios
        / nullif(
            100 * sum(valuation_krw) filter (where valuation_krw > 0 and weight is not null) over portfolios
            / nullif(
                coalesce(
                    total_valuation_krw, sum(valuation_krw) filter (where valuation_krw > 0) over portfolios
                ),
                0
            ),
            0
        ) as weight_over_amount
    from typed
    window portfolios as (partition by source, etf_code, base_date)
),

checked as (
    select
        *,
        array_to_string(
            array[
                case
                    when
                        etf_code !~ '^[0-9][0-9A-Z]{5}$'
                        -- digits alone are a code of six: with fewer its zeros are lost. Where the ISIN is of another
                        -- country they are a whole code: 700 of Hong Kong, 7203 of Tokyo
                        or component_code ~ '^[0-9]{1,5}$' and coalesce(component_isin, 'KR') like 'KR%'
                        or component_code ~ '^[-+]'
                        then 'CODE_MALFORMED'
                end,
                case
                    when
                        component_code ~ '^[0-9][0-9A-Z]{5}$'
                        and component_isin like 'KR7%'
                        and substr(component_isin, 4, 5) <> left(component_code, 5)
                        then 'CODE_NOT_OF_ISIN'
                end,
                case when component_key is null then 'COMPONENT_UNNAMED' end,
                case when length(component_key) > 40 then 'COMPONENT_CODE_TOO_LONG' end,
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case when num_nonnulls(shares, valuation_krw, weight) = 0 then 'VALUE_MISSING' end,
                case
                    when
                        greatest(abs(shares), abs(valuation_krw), abs(total_valuation_krw)) > 1e17
                        or abs(coalesce(weight, 100 * valuation_krw / nullif(total_valuation_krw, 0))) >= 500
                        then 'VALUE_OUT_OF_RANGE'
                end,
                -- no fund holds five times what it is worth: per mille, or parts of one beside their amounts
                case
                    when vendor_weight_sum > 500 or weight_over_amount > 5 or weight_over_amount < 0.2
                        then 'WEIGHTS_WRONG_UNIT'
                end
            ],
            ','
        ) as own_broken_rules
    from summed
),

-- a portfolio is published whole or not at all: with a line missing, every conclusion from it is wrong
held as (
    select
        *,
        max(length(own_broken_rules)) over (partition by source, etf_code, base_date) > 0 as is_held_back
    from checked
),

final as (
    select
        source,
        etf_code as stock_code,
        base_date as trade_date,
        component_key as component_code,
        component_isin,
        component_name,
        component_type,
        shares,
        valuation_krw,
        case
            when counts_in_weight
                then coalesce(weight, 100 * valuation_krw / nullif(total_valuation_krw, 0))
        end as weight,
        total_valuation_krw,
        stated_components,
        counts_in_weight,
        case
            when own_broken_rules = '' and is_held_back then 'HELD_WITH_ITS_GROUP'
            else own_broken_rules
        end as broken_rules,
        is_held_back,
        fetch_id,
        row_number,
        first_fetched_at,
        fetched_at
    from held
)

select * from final
