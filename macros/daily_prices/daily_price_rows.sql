{#
    Daily prices of all sources, typed, and their rules: common table expressions of the two models that hold the newest
    rows (int_daily_prices__unioned) and the ones that those replaced (int_daily_prices__superseded). Both judge alike
    because there is one text. Longer than a macro of this project should be: it is the body of a model, used twice.

    Example: with cells as (…), {{ daily_price_answers() }}, chosen as (…), {{ daily_price_rules('chosen') }}
    select * from final
#}

{#
    Up to `hashed`: rows of the answers that the expression `cells` lists (source, collection_date, fetch_id, fetched_at and
    what `more_columns` names), each on the day that it was asked for.
#}
{% macro daily_price_answers(more_columns=[]) -%}
{% set relations = {
    'stg_infomax__stock_info': 'infomax',
    'stg_infomax__stock_hist': 'infomax',
    'stg_krx__stk_bydd_trd': 'krx',
    'stg_krx__ksq_bydd_trd': 'krx',
    'stg_krx__knx_bydd_trd': 'krx',
    'stg_krx__etf_bydd_trd': 'krx',
    'stg_krx__portal_daily_prices': 'krx',
    'stg_krx__portal_etf_daily_prices': 'krx',
    'stg_krx__portal_price_history': 'krx',
    'stg_marcap__daily': 'marcap',
    'stg_kis__daily_itemchartprice': 'kis',
    'stg_kiwoom__daily_chart': 'kiwoom',
} -%}
{% set at_hand = and_in_answers_to_days_to_rebuild('rows_of_source.fetch_id') -%}
{% set with_isin = [
    'stg_infomax__stock_info', 'stg_krx__portal_daily_prices', 'stg_krx__portal_etf_daily_prices'
] -%}
fetch_cells as (
    select
        fetch_id,
        collection_date
    from {{ ref('stg_ledger__fetch_cells') }}
    where dataset = 'ohlcv_daily'
),

-- the days that an answer was asked for, whether they are at hand or not
fetch_spans as (
    select
        fetch_cells.fetch_id,
        min(fetch_cells.collection_date) as first_date,
        max(fetch_cells.collection_date) as last_date
    from fetch_cells
    where fetch_cells.fetch_id in (select cells.fetch_id from cells)
    group by fetch_cells.fetch_id
),

closed_days as (
    select date
    from {{ ref('trading_calendar') }}
    where not is_session
),

vendor_rows as (
    {% for relation, source_name in relations.items() %}
    select
        '{{ source_name }}' as source,
        rows_of_source.stock_code,
        {{ 'rows_of_source.isin' if relation in with_isin else 'null::text' }} as isin,
        rows_of_source.trade_date,
        rows_of_source.stock_name,
        rows_of_source.vendor_market,
        rows_of_source.board_section,
        rows_of_source.open_price,
        rows_of_source.high_price,
        rows_of_source.low_price,
        rows_of_source.close_price,
        rows_of_source.base_price,
        rows_of_source.change_rate,
        rows_of_source.volume,
        rows_of_source.trading_value,
        rows_of_source.listed_shares,
        rows_of_source.vendor_market_cap,
        rows_of_source.unreadable_fields,
        rows_of_source.fetch_id,
        rows_of_source.row_number,
        fetch_spans.first_date,
        coalesce(
            rows_of_source.trade_date between fetch_spans.first_date and fetch_spans.last_date
            -- a holiday within the range was not asked for, unless its closure was unknown by then
            and (closed_days.date is null or asked_cells.fetch_id is not null),
            false
        ) as has_its_day
    from fetch_spans
    inner join {{ ref(relation) }} as rows_of_source on fetch_spans.fetch_id = rows_of_source.fetch_id
    left join closed_days on rows_of_source.trade_date = closed_days.date
    left join fetch_cells as asked_cells
        on closed_days.date = asked_cells.collection_date and fetch_spans.fetch_id = asked_cells.fetch_id
    where
        true
        {{ at_hand }}
        {% if relation == 'stg_kiwoom__daily_chart' %}
        -- its pages have no first day: what lies before the days that were asked for is no mistake
        and (rows_of_source.trade_date is null or rows_of_source.trade_date >= fetch_spans.first_date)
        {% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- a row whose date cannot be read, or was not asked for, stands with the first day of its answer, to be rejected there
unioned as (
    select
        vendor_rows.source,
        vendor_rows.stock_code,
        vendor_rows.isin,
        case when vendor_rows.has_its_day then vendor_rows.trade_date end as trade_date,
        cells.collection_date,
        {% for column in [
            'stock_name', 'vendor_market', 'board_section', 'open_price', 'high_price', 'low_price', 'close_price',
            'base_price', 'change_rate', 'volume', 'trading_value', 'listed_shares', 'vendor_market_cap',
            'unreadable_fields', 'has_its_day', 'fetch_id', 'row_number',
        ] %}
        vendor_rows.{{ column }},
        {% endfor %}
        vendor_rows.trade_date is null as has_no_date,
        {% for column in more_columns %}
        cells.{{ column }},
        {% endfor %}
        cells.fetched_at,
        cells.is_current
    from vendor_rows
    inner join cells
        on
            vendor_rows.fetch_id = cells.fetch_id
            and case when vendor_rows.has_its_day then vendor_rows.trade_date else vendor_rows.first_date end
            = cells.collection_date
),

hashed as (
    select
        *,
        -- one number says whether two rows hold the same values, missing ones included
        hash_record_extended(
            row(open_price, high_price, low_price, close_price, base_price, volume, trading_value, listed_shares),
            0
        ) as values_hash
    from unioned
)
{%- endmacro %}

{#  Up to `final`: the rows of an expression with the names of the rules that they break  #}
{% macro daily_price_rules(rows, more_columns=[]) -%}
{#- brokers tell the shares of now only: their bars are published without a market cap -#}
{% set without_shares = "'kis', 'kiwoom'" -%}
{% set numbers = [
    'open_price', 'high_price', 'low_price', 'close_price', 'base_price', 'change_rate', 'volume', 'trading_value',
    'listed_shares', 'vendor_market_cap',
] -%}
-- ticks of a market and time as two arrays, so that the tick of a price is a look into them and no join
ticks as (
    select
        markets.vendor_market,
        tick_sizes.valid_from,
        tick_sizes.valid_to,
        array_agg(tick_sizes.price_from::numeric order by tick_sizes.price_from) as price_froms,
        array_agg(tick_sizes.tick::numeric order by tick_sizes.price_from) as tick_sizes
    from {{ ref('tick_sizes') }} as tick_sizes
    inner join {{ ref('markets') }} as markets on tick_sizes.market = markets.market
    group by markets.vendor_market, tick_sizes.valid_from, tick_sizes.valid_to
),

limits as (
    select
        markets.vendor_market,
        price_limits.valid_from,
        price_limits.valid_to,
        price_limits.limit_rate::numeric as limit_rate
    from {{ ref('price_limits') }} as price_limits
    inner join {{ ref('markets') }} as markets on price_limits.market = markets.market
),

-- A numeric that comes out of a sort is packed, and whatever looks at it unpacks it anew, a hundred times a row. A sign in
-- front of it does so once; `offset 0` keeps PostgreSQL from writing the sign out wherever the number is referred to.
unpacked as (
    select
        source,
        stock_code,
        isin,
        trade_date,
        collection_date,
        stock_name,
        vendor_market,
        board_section,
        {% for number in numbers %}
        +{{ number }} as {{ number }},
        {% endfor %}
        unreadable_fields,
        has_its_day,
        has_no_date,
        has_conflicting_duplicate,
        fetch_id,
        row_number,
        {% for column in more_columns %}
        {{ column }},
        {% endfor %}
        first_fetched_at,
        fetched_at
    from {{ rows }}
    offset 0  -- noqa: AM09
),

flagged as (
    select
        priced.*,
        priced.volume = 0 as has_no_trades,
        -- O, H and L are all zero although shares changed hands: only off-hours trading took place
        priced.volume > 0 and priced.open_price = 0 and priced.high_price = 0 and priced.low_price = 0
            as has_no_regular_trades,
        num_nonnulls(
            {% for price in ['open_price', 'high_price', 'low_price', 'close_price'] %}
            nullif(priced.{{ price }} % ticks.tick_sizes[width_bucket(priced.{{ price }}, ticks.price_froms)], 0)
            {{- ',' if not loop.last }}
            {% endfor %}
        ) > 0 as is_off_tick,
        greatest(priced.high_price, priced.close_price) > priced.base_price * (1 + limits.limit_rate)
        or least(nullif(priced.low_price, 0), priced.close_price) < priced.base_price * (1 - limits.limit_rate)
            as is_beyond_limit
    from unpacked as priced
    left join ticks
        on
            priced.vendor_market = ticks.vendor_market
            and priced.collection_date >= ticks.valid_from
            and (priced.collection_date < ticks.valid_to or ticks.valid_to is null)
    left join limits
        on
            priced.vendor_market = limits.vendor_market
            and priced.collection_date >= limits.valid_from
            and (priced.collection_date < limits.valid_to or limits.valid_to is null)
    -- `offset 0` keeps PostgreSQL from writing these expressions out wherever they are referred to, to compute them again
    offset 0  -- noqa: AM09
),

checked as (
    select
        *,
        array_remove(
            array[
                case when has_no_date then 'DATE_UNREADABLE' when not has_its_day then 'DATE_NOT_ASKED' end,
                case when {{ is_no_stock_code('stock_code') }} then 'CODE_MALFORMED' end,
                -- a preferred share's ISIN does not end like its code; the first five characters are its issuer's
                case
                    when isin like 'KR7%' and substr(isin, 4, 5) <> left(stock_code, 5) then 'CODE_NOT_OF_ISIN'
                end,
                case when unreadable_fields <> '' then 'VALUE_UNREADABLE' end,
                case
                    when
                        num_nulls(close_price, volume, trading_value) > 0
                        or listed_shares is null and source not in ({{ without_shares }})
                        then 'VALUE_MISSING'
                end,
                -- a base price below zero, which a wrong change makes, would turn all earlier adjusted prices round
                case
                    when
                        least(open_price, high_price, low_price, base_price, volume, trading_value, listed_shares) < 0
                        then 'VALUE_NEGATIVE'
                end,
                -- what no column of the marts could hold would stop the build for everybody
                case
                    when
                        greatest(open_price, high_price, low_price, close_price, abs(base_price)) > 2147483647
                        or greatest(volume, trading_value, listed_shares, close_price * listed_shares) > 1e18
                        then 'VALUE_OUT_OF_RANGE'
                end,
                case when close_price <= 0 then 'CLOSE_NOT_POSITIVE' end,
                case
                    when
                        (open_price, high_price, low_price, close_price, base_price)
                        <> (
                            trunc(open_price), trunc(high_price), trunc(low_price), trunc(close_price),
                            trunc(base_price)
                        )
                        then 'PRICE_NOT_WHOLE'
                end,
                case
                    when
                        (volume, trading_value, listed_shares)
                        <> (trunc(volume), trunc(trading_value), trunc(listed_shares))
                        then 'COUNT_NOT_WHOLE'
                end,
                case
                    when
                        not has_no_trades
                        and not has_no_regular_trades
                        and least(open_price, high_price, low_price) = 0
                        then 'PRICE_ZERO'
                end,
                case
                    when
                        not has_no_trades
                        and not has_no_regular_trades
                        and not (
                            low_price <= least(open_price, close_price)
                            and greatest(open_price, close_price) <= high_price
                        )
                        then 'PRICE_ORDER'
                end,
                case
                    when volume > 0 and trading_value > 0 and (
                        trading_value > 10 * volume * greatest(high_price, close_price)
                        or 10 * trading_value < volume * least(nullif(low_price, 0), close_price)
                    )
                        then 'VALUE_WRONG_UNIT'
                end,
                case when has_conflicting_duplicate then 'CONFLICTING_DUPLICATE' end
            ],
            null
        ) as broken_rules,
        array_remove(
            array[
                case when (volume = 0) <> (trading_value = 0) then 'VALUE_WITHOUT_VOLUME' end,
                case
                    when volume > 0 and trading_value > 0 and (
                        trading_value > 2 * volume * greatest(high_price, close_price)
                        or 2 * trading_value < volume * least(nullif(low_price, 0), close_price)
                    )
                        then 'VALUE_OUTSIDE_PRICES'
                end,
                case
                    when abs(100 * close_price / nullif(base_price, 0) - 100 - change_rate) > 0.011
                        then 'CHANGE_RATE_DISAGREES'
                end,
                case when base_price is null and source <> 'kiwoom' then 'BASE_PRICE_MISSING' end,
                -- first sessions and liquidation trading move further: quality.price_limit_breaks tells them apart
                case when is_beyond_limit then 'PRICE_BEYOND_LIMIT' end,
                -- a stock that nobody traded keeps a price of an older table
                case when volume > 0 and not has_no_regular_trades and is_off_tick then 'PRICE_OFF_TICK' end,
                case when has_no_regular_trades then 'NO_REGULAR_TRADES' end,
                case when vendor_market_cap <> close_price * listed_shares then 'MARKET_CAP_DISAGREES' end,
                case when listed_shares > 1e11 or listed_shares = 0 then 'SHARES_IMPLAUSIBLE' end,
                case when volume > 10 * listed_shares then 'VOLUME_IMPLAUSIBLE' end
            ],
            null
        ) as warned_rules
    from flagged
),

final as (
    select
        source,
        stock_code,
        trade_date,
        collection_date,
        stock_name,
        vendor_market,
        board_section,
        case when not has_no_trades and not has_no_regular_trades then open_price end as open_price,
        case when not has_no_trades and not has_no_regular_trades then high_price end as high_price,
        case when not has_no_trades and not has_no_regular_trades then low_price end as low_price,
        close_price,
        base_price,
        volume,
        trading_value,
        listed_shares,
        vendor_market_cap,
        -- a day with trades was no suspension; a day without may be either, and these sources do not say
        case when volume > 0 then false end as is_suspended,
        -- names of the rules that the row breaks, separated by commas; empty for a good row
        array_to_string({{ unreviewed('daily_prices', 'broken_rules', 'collection_date', 'null') }}, ',') as broken_rules,
        {{ lifted_rules('daily_prices', 'broken_rules', 'collection_date', 'null') }} as reviewed_rules,
        -- the same for rules that only warn: the row is published and listed in quality.warned_rows
        array_to_string(warned_rules, ',') as warned_rules,
        fetch_id,
        row_number,
        {% for column in more_columns %}
        {{ column }},
        {% endfor %}
        first_fetched_at,
        fetched_at
    from checked
)
{%- endmacro %}
