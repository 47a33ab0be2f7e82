{#
    Verdicts on the days of a dataset: common table expressions up to `final`, from an expression `measured` with one row per
    source and day: source, trade_date, item_count, expected_count, fetched_at, and a column named after each gate (lower case),
    null where it cannot be judged. A gate holds what lies outside its limits in the seed gate_limits, unless the seed
    reviewed_exceptions says that the day is right.

    A source that is held is not chosen. The day as a whole is held where what the other sources have is less than nine tenths of
    the names that the held one has, or should have.
    Example: with measured as (…), {{ gate_verdicts('ohlcv_daily', ['row_count', 'calendar']) }} select * from final
#}
{% macro gate_verdicts(dataset, gates) -%}
limits as (
    select
        gate,
        lowest,
        highest
    from {{ ref('gate_limits') }}
    where dataset = '{{ dataset }}'
),

reviewed as (
    select
        source,
        trade_date,
        rule_id
    from {{ ref('reviewed_exceptions') }}
    where dataset = '{{ dataset }}' and stock_code is null
    group by source, trade_date, rule_id
),

told as (
    {% for gate in gates %}
    select
        source,
        trade_date,
        '{{ gate | upper }}' as gate,
        {{ gate }}::numeric as measured_value
    from measured
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

judged as (
    select
        told.*,
        limits.lowest,
        limits.highest,
        reviewed.rule_id is not null as is_reviewed,
        (told.measured_value < limits.lowest or told.measured_value > limits.highest) is true as is_outside
    from told
    inner join limits on told.gate = limits.gate
    left join reviewed
        on
            told.source = reviewed.source
            and told.trade_date = reviewed.trade_date
            and told.gate = reviewed.rule_id
),

source_days as (
    select
        measured.source,
        measured.trade_date,
        measured.item_count,
        measured.expected_count,
        measured.fetched_at,
        coalesce(bool_or(judged.is_outside and not judged.is_reviewed), false) as is_held
    from measured
    left join judged on measured.source = judged.source and measured.trade_date = judged.trade_date
    group by
        measured.source, measured.trade_date, measured.item_count, measured.expected_count, measured.fetched_at
),

days as (
    select
        *,
        bool_or(is_held) over sources
        and coalesce(max(item_count) filter (where not is_held) over sources, 0)
        < 0.9 * max(greatest(item_count, expected_count)) filter (where is_held) over sources
            as is_day_held
    from source_days
    window sources as (partition by trade_date)
),

final as (
    select
        days.source,
        days.trade_date,
        judged.gate,
        judged.measured_value,
        judged.lowest,
        judged.highest,
        case
            when not judged.is_outside then 'PASSED'
            when judged.is_reviewed then 'REVIEWED'
            else 'HELD'
        end as verdict,
        days.is_held,
        coalesce(days.is_day_held, false) as is_day_held,
        days.item_count,
        days.expected_count,
        days.fetched_at
    from days
    inner join judged on days.source = judged.source and days.trade_date = judged.trade_date
    where judged.measured_value is not null
)
{%- endmacro %}

{#  Sources and days that are not to be chosen. Example: held as ({{ sources_held(ref('int_daily_prices__gated')) }})  #}
{% macro sources_held(gate_table) -%}
    select
        source,
        trade_date
    from {{ gate_table }}
    where is_held or is_day_held
    group by source, trade_date
{%- endmacro %}

{#
    Common table expressions `attempts`, `answers_confirmed` (when an answer was last found to be so) and `calendar`, for the
    days at hand.
    Example: with {{ what_was_asked('ohlcv_daily') }}
#}
{% macro what_was_asked(dataset) -%}
attempts as (
    select
        source,
        scope,
        collection_date,
        fetch_id,
        completed_at,
        attempt_id
    from {{ ref('stg_ledger__fetch_cells') }}
    where
        dataset = '{{ dataset }}'
        and status in ('SUCCESS', 'UNCHANGED')
        and not is_retracted
        {{ and_in_days_to_rebuild('collection_date') }}
),

answers_confirmed as (
    select
        fetch_id,
        collection_date,
        max(completed_at) as confirmed_at
    from attempts
    group by fetch_id, collection_date
),

calendar as (
    select
        date,
        is_session,
        session_number,
        previous_session,
        closes_at
    from {{ ref('trading_calendar') }}
)
{%- endmacro %}

{#
    Common table expressions up to `names_counted`: per source, day and market that was asked for as a whole, the names of the
    lists (funds left out) and those of them that `present` (source, trade_date, stock_code) has.
#}
{% macro names_listed() -%}
stocks as (
    select
        stock_code,
        market,
        listing_date,
        delisting_date
    from {{ ref('stocks') }}
    where
        security_type not in ('ETF', 'ETN')
        and listing_date is not null
        -- of a name that is gone nobody knows when: no list says how long it should be there
        and (is_active or delisting_date is not null)
),

markets_asked as (
    select
        attempts.source,
        attempts.collection_date as trade_date,
        markets.market
    from attempts
    inner join (values ('KOSPI'), ('KOSDAQ')) as markets (market) on attempts.scope in ('ALL', markets.market)
    group by attempts.source, attempts.collection_date, markets.market
),

listed_counts as (
    select
        days.trade_date,
        stocks.market,
        count(*) as listed_count
    from (select trade_date from markets_asked group by trade_date) as days
    inner join stocks
        on
            days.trade_date >= stocks.listing_date
            and (days.trade_date < stocks.delisting_date or stocks.delisting_date is null)
    group by days.trade_date, stocks.market
),

present_counts as (
    select
        present.source,
        present.trade_date,
        stocks.market,
        count(*) as present_count
    from present
    inner join stocks
        on
            present.stock_code = stocks.stock_code
            and present.trade_date >= stocks.listing_date
            and (present.trade_date < stocks.delisting_date or stocks.delisting_date is null)
    group by present.source, present.trade_date, stocks.market
),

names_counted as (
    select
        markets_asked.source,
        markets_asked.trade_date,
        sum(listed_counts.listed_count) as expected_count,
        min(coalesce(present_counts.present_count, 0)::numeric / nullif(listed_counts.listed_count, 0))
            filter (where listed_counts.listed_count >= 10) as part_of_listed
    from markets_asked
    inner join listed_counts
        on markets_asked.trade_date = listed_counts.trade_date and markets_asked.market = listed_counts.market
    left join present_counts
        on
            markets_asked.source = present_counts.source
            and markets_asked.trade_date = present_counts.trade_date
            and markets_asked.market = present_counts.market
    group by markets_asked.source, markets_asked.trade_date
)
{%- endmacro %}

{#
    Common table expression `recent`: per source and day, how levels of the day compare with those of the five sessions before
    it (the median: two bad days among them do not count) and how many items those had at most. Sessions that a gate
    holds count only where there is no other, and those with quite another number of items not at all. From an expression `day_levels` (source, trade_date,
    item_count, the levels) that has the days at hand and five sessions before each.
    Example: {{ compared_with_recent_days({'shares_unit': 'shares_level'}) }}
#}
{% macro compared_with_recent_days(levels) -%}
held_before as (
    {% if is_incremental() %}
    select
        source,
        trade_date
    from {{ this }}
    where is_held
    group by source, trade_date
    {% else %}
    select
        null::text as source,
        null::date as trade_date
    where false
    {% endif %}
),

recent as (
    select
        day_levels.source,
        day_levels.trade_date,
        {% for gate, level in levels.items() %}
        coalesce(
            {% for condition in ['held_before.source is null and', ''] %}
            percentile_disc(0.5) within group (order by day_levels.{{ level }} / nullif(earlier.{{ level }}, 0)) filter (
                where {{ condition }} day_levels.item_count between 0.8 * earlier.item_count and 1.25 * earlier.item_count
            ){{ ',' if not loop.last }}
            {% endfor %}
        ) as {{ gate }},
        {% endfor %}
        max(earlier.item_count) as recent_count
    from day_levels
    inner join calendar on day_levels.trade_date = calendar.date
    inner join calendar as sessions_before
        on sessions_before.session_number between calendar.session_number - 5 and calendar.session_number - 1
    inner join day_levels as earlier
        on day_levels.source = earlier.source and sessions_before.date = earlier.trade_date
    left join held_before
        on earlier.source = held_before.source and earlier.trade_date = held_before.trade_date
    group by day_levels.source, day_levels.trade_date
)
{%- endmacro %}

{#  What a column amounts to on the whole (geometric mean), where enough rows have a value, else null  #}
{% macro level_of(column, at_least) -%}
    case
        when count({{ column }}) >= {{ at_least }} then exp(avg(ln(nullif(greatest({{ column }}, 0), 0)::double precision)))
    end
{%- endmacro %}

{#  Median of a ratio where enough rows have one, else null. Example: median_of('close_price / close_before', 10)  #}
{% macro median_of(ratio, at_least) -%}
    case
        when count({{ ratio }}) >= {{ at_least }}
            then percentile_cont(0.5) within group (order by ({{ ratio }})::double precision)
    end
{%- endmacro %}

{#  Part of the rows for which a condition holds, where there are enough of which it can be told, else null  #}
{% macro part_of(condition, at_least) -%}
    case when count({{ condition }}) >= {{ at_least }} then avg(({{ condition }})::integer) end
{%- endmacro %}
