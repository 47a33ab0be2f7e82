{#
    Model of one half of the stocks and days that are plain: told once, no minute twice, every bar sound by itself and in the
    running totals. Nearly every one is. They are read by casts, and a day's bars are kept in arrays, a row a stock and day, with
    what they come to. All rules, in int_minute_bars__doubtful, take five times as long and say of a plain day the same: what a
    glance does not settle it never decides.

    In halves, because PostgreSQL leaves window functions to one process, and dbt builds two models at once: a market's day takes
    three fifths of the time. `parity` is that of a code's fifth character, 0 or 1: the sixth is 0 for nearly every stock.
    Example: {{ plain_stock_days(parity=0) }}
#}
{% macro plain_stock_days(parity) -%}
{% set relations = {
    'stg_kis__time_dailychartprice': 'kis',
    'stg_kiwoom__minute_chart': 'kiwoom',
} %}
{# kis counts won, kiwoom shares -#}
{% set totals = {'kis': 'cumulative_value', 'kiwoom': 'cumulative_volume'} %}
{% set prices = ['open_price', 'high_price', 'low_price', 'close_price'] %}
{# the arrays name a session by its place here, from 1; before they are made, 0 is another day beside the one asked for -#}
{% set sessions = ['PRE_MARKET', 'REGULAR', 'AFTER_MARKET'] %}
{% set regular = sessions.index('REGULAR') + 1 %}
{% set arrays = {
    'minutes': 'minute',
    'session_numbers': 'session_number',
    'open_prices': 'open_price',
    'high_prices': 'high_price',
    'low_prices': 'low_price',
    'close_prices': 'close_price',
    'volumes': 'volume',
    'trading_values': 'trading_value',
    'answer_numbers': 'answer_number',
    'row_numbers': 'row_number',
} %}
{% set digit_columns = ['bar_date_text', 'clock'] + prices + ['volume', 'is_plain', 'row_number'] %}
{% set hours = ['opens_at', 'closes_at'] %}
{% for session in sessions %}
{% do hours.extend([session | lower ~ '_opens_at', session | lower ~ '_closes_at']) %}
{% endfor %}
{% set at_hand = and_in_answers_to_days_to_rebuild('sent.fetch_id') %}
{# nothing is looked for in the arrays, and statistics of their elements take as long as the day itself; compression
takes a tenth of it, and saves nine megabytes a day. A full market's day is put in order in so much memory, for the length
of the transaction; in less it goes by way of the disk. dbt cannot add an array to a table that is there: it says so -#}
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    on_schema_change='fail',
    meta={
        'day_column': 'trade_date',
        'datasets': ['ohlcv_minute'],
        'analyzed_by_day': [
            'trade_date', 'source', 'stock_code', 'venue', 'bar_count', 'sound_bar_count', 'warned_bar_count',
        ],
    },
    indexes=[{'columns': ['trade_date']}],
    pre_hook="set local work_mem = '128MB'",
    post_hook='{% if not is_incremental() %} alter table {{ this }} '
    ~ 'alter ' ~ arrays | join(' set statistics 0, alter ') ~ ' set statistics 0, '
    ~ 'alter ' ~ arrays | join(' set storage external, alter ') ~ ' set storage external {% endif %}',
) }}

with

cells as (
    select * from {{ ref('int_minute_bars__cells') }}
    where ascii(substr(scope, 5, 1)) % 2 = {{ parity }} {{ and_in_days_to_rebuild('collection_date') }}
),

requests as (
    select
        sent.fetch_id,
        sent.request
    from {{ ref('stg_ledger__fetches') }} as sent
    where true {{ at_hand }}
),

with_venue as (
    select
        cells.*,
        case cells.source
            when 'kis' then {{ kis_venue('requests.request') }}
            when 'kiwoom' then {{ kiwoom_venue('requests.request') }}
        end as venue,
        -- a walk back through several days begins with the last of them
        case cells.source when 'kiwoom' then {{ kiwoom_base_date('requests.request') }} end as base_date
    from cells
    inner join requests on cells.fetch_id = requests.fetch_id
),

-- by windows, since a join of the cells with themselves would be planned for one row
compared as (
    select
        *,
        min(attempt_id) over cells_of_the_day as first_attempt_id,
        max(attempt_id) over cells_of_the_day as last_attempt_id,
        min(coalesce(venue, '')) over cells_of_the_day as first_venue,
        max(coalesce(venue, '')) over cells_of_the_day as last_venue,
        row_number() over (partition by source, scope, collection_date order by fetch_id) as answer_number,
        -- one number is put in order in half the time of three columns
        (dense_rank() over (order by source, scope, collection_date))::integer as stock_day
    from with_venue
    window cells_of_the_day as (partition by source, scope, collection_date)
),

-- one attempt, a final one, and none before it that could say when a bar was first carried
told_once as (
    select
        source,
        scope as stock_code,
        collection_date as trade_date,
        stock_day,
        venue,
        base_date,
        fetch_id,
        fetched_at,
        answer_number::integer as answer_number
    from compared
    where
        first_attempt_id = last_attempt_id
        and first_venue = last_venue
        and is_current
        and not is_provisional
        and scope ~ '{{ minute_code_pattern() }}'
),

-- hours as minutes of the day, the first of them and the first one after: a label without seconds lies within the hours
-- where its minute does
session_days as (
    select
        date,
        to_char(date, 'YYYYMMDD') as date_text,
        -- days are counted from 1970 on
        date - date '1970-01-01' as day_number,
        {{ minutes_up_to("opens_at at time zone 'Asia/Seoul'") }} as opens_at,
        -- the closing auction is labelled with the close itself
        {{ minutes_up_to("closes_at at time zone 'Asia/Seoul' + interval '1 second'") }} as closes_at
    from {{ ref('trading_calendar') }}
    where is_session {{ and_in_days_to_rebuild('date') }}
),

-- the hours of a venue in one row
venue_hours as (
    select
        session_days.date,
        hours.venue
        {%- for session in sessions %},
        min({{ minutes_up_to('hours.opens_at') }}) filter (where hours.session = '{{ session }}')
            as {{ session | lower }}_opens_at,
        min({{ minutes_up_to('hours.closes_at') }}) filter (where hours.session = '{{ session }}')
            as {{ session | lower }}_closes_at
        {%- endfor %}
    from session_days
    inner join {{ ref('trading_sessions') }} as hours
        on
            session_days.date >= hours.valid_from
            and (session_days.date < hours.valid_to or hours.valid_to is null)
    group by session_days.date, hours.venue
),

-- few rows beside the bars: joined first, so that a bar is joined once
timed_answers as materialized (
    select
        told_once.fetch_id,
        told_once.source,
        told_once.stock_day,
        told_once.answer_number,
        days.date_text,
        days.day_number,
        told_once.base_date - date '1970-01-01' as base_day_number,
        -- the calendar's hours are the exchange's
        case when told_once.venue <> 'NXT' then days.opens_at end as opens_at,
        -- a VI prolongs the closing auction; Nextrade, and so both venues together, trade again by then
        days.closes_at + case when told_once.venue = 'KRX' then {{ longest_closing_auction() }} else 0 end as closes_at
        {%- for session in sessions %},
        hours.{{ session | lower }}_opens_at,
        hours.{{ session | lower }}_closes_at
        {%- endfor %}
    from told_once
    inner join session_days as days on told_once.trade_date = days.date
    left join venue_hours as hours on told_once.trade_date = hours.date and told_once.venue = hours.venue
),

{% for relation, source_name in relations.items() %}
{{ source_name }}_digits as (
    select
        {% for column in digit_columns %}
        sent.{{ column }},
        {% endfor %}
        sent.{{ totals[source_name] }} as running_total,
        answers.stock_day,
        answers.answer_number,
        answers.date_text,
        answers.day_number,
        answers.base_day_number,
        {{ hours | join(',\n        ') }}
    from timed_answers as answers
    inner join {{ ref(relation ~ '_digits') }} as sent on answers.fetch_id = sent.fetch_id
    where answers.source = '{{ source_name }}' {{ at_hand }}
    -- `offset 0` keeps PostgreSQL from writing these expressions out wherever they are referred to, to compute them
    -- each time; it takes away nothing, in whatever order
    offset 0
),

{{ source_name }}_bars as (
    select
        stock_day,
        answer_number,
        row_number,
        case when is_plain then clock::integer / 10000 * 60 + clock::integer / 100 % 100 end as minute_of_day,
        day_number,
        base_day_number,
        -- a day in another writing is left to all rules
        case
            when bar_date_text = date_text then 0
            when bar_date_text ~ '^[0-9]{8}$' then {{ to_date8('bar_date_text') }} - date '1970-01-01'
        end as other_day,
        {% for price in prices %}
        case when is_plain then {{ price }}::integer end as {{ price }},
        {% endfor %}
        case when is_plain then volume::integer end as volume,
        case when is_plain then running_total::bigint end as running_total,
        {{ 'true' if totals[source_name] == 'cumulative_volume' else 'false' }} as counts_shares,
        {{ hours | join(',\n        ') }}
    from {{ source_name }}_digits
    -- as above
    offset 0
),

{% endfor %}
unioned as (
    {% for source_name in relations.values() %}
    select * from {{ source_name }}_bars
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

placed as (
    select
        stock_day,
        answer_number,
        row_number,
        -- the order of the bars of a day, and of those of other days behind it
        minute_of_day + other_day * 1440 as minute,
        answer_number * 100000 + row_number as place,
        other_day > day_number as is_later,
        {% for price in prices %}
        {{ price }},
        {% endfor %}
        volume,
        running_total,
        counts_shares,
        -- null outside all hours, and on a later day that was not asked for
        case
            when other_day > 0 then case when other_day < day_number or other_day <= base_day_number then 0 end
            when minute_of_day >= opens_at and minute_of_day < closes_at then {{ regular }}
            {%- for session in sessions %}
            when minute_of_day >= {{ session | lower }}_opens_at and minute_of_day < {{ session | lower }}_closes_at
                then {{ loop.index }}
            {%- endfor %}
        end::smallint as session_number
    from unioned
    -- as above
    offset 0
),

-- what a minute adds is the difference of two running totals; the first bar of a day takes the total itself
chained as (
    select
        *,
        lag(minute, 1, -1) over bars_of_the_day as minute_before,
        lag(session_number, 1, -1::smallint) over bars_of_the_day as session_before,
        running_total - lag(running_total, 1, 0::bigint) over bars_of_the_day as own_total
    from placed
    window bars_of_the_day as (partition by stock_day order by minute)
    -- as above
    offset 0
),

glanced_at as (
    select
        *,
        session_number > 0 as is_of_the_day,
        session_number > 0 and volume > 0 as is_sound,
        session_number = {{ regular }} and volume > 0 as is_regular,
        -- where off-hours trades lie between two totals the value of the bar cannot be told
        case when not counts_shares and own_total <= high_price::bigint * volume then own_total end as trading_value,
        coalesce(
            -- whatever is told of other days beside the day
            session_number = 0
            or minute > minute_before
            and session_number is not null
            and low_price > 0
            and low_price <= open_price
            and low_price <= close_price
            and open_price <= high_price
            and close_price <= high_price
            and case
                -- between two bars of a session others are missing or none is
                when counts_shares
                    then own_total is null or own_total = volume or session_number <> session_before
                else
                    own_total >= low_price::bigint * volume
                    -- the first bar of a session takes what was traded before it
                    and (own_total <= high_price::bigint * volume or session_number <> session_before)
            end,
            false
        ) as is_plain
    from chained
),

summed as (
    select
        stock_day,
        bool_and(is_plain) as is_plain,
        -- one walk serves several days: what is told of others beside it says nothing of this one
        count(*) filter (where is_of_the_day) as bar_count,
        count(*) filter (where is_sound) as sound_bar_count,
        -- what is not published is not warned of
        count(*) filter (where is_sound and not counts_shares and trading_value is null) as warned_bar_count,
        sum(volume) filter (where is_of_the_day) as volume,
        sum(volume) filter (where is_sound) as sound_volume,
        sum(close_price) filter (where is_of_the_day) as closes,
        sum(trading_value) filter (where is_of_the_day) as trading_value,
        sum(volume::bigint * close_price) filter (where is_of_the_day and trading_value is not null) as value_by_closes,
        sum(volume) filter (where is_regular) as regular_volume,
        min(minute) filter (where is_regular) as first_regular_minute,
        max(minute) filter (where is_regular) as last_regular_minute,
        bool_and(counts_shares) as has_no_totals,
        bool_or(session_number > 0 and volume = 0) as has_bars_without_trades,
        -- newest first: later days before the day, earlier ones behind it, and none of them within
        min(place) filter (where is_of_the_day) as first_place,
        max(place) filter (where is_of_the_day) as last_place,
        max(place) filter (where is_later) as last_place_of_later_days,
        min(place) filter (where session_number = 0 and not is_later) as first_place_of_earlier_days,
        -- the price of the first and of the last minute, in one number behind its minute: nothing is put in order
        min(minute * 10000000000 + open_price) filter (where is_regular) % 10000000000 as open_price,
        max(minute * 10000000000 + close_price) filter (where is_regular) % 10000000000 as close_price,
        max(high_price) filter (where is_regular) as high_price,
        min(low_price) filter (where is_regular) as low_price,
        -- of equal length and in one order, whichever that is: who needs another puts them in order by the minute
        {% for array, column in arrays.items() %}
        array_agg({{ column }}) filter (where is_of_the_day) as {{ array }}{{ ',' if not loop.last }}
        {% endfor %}
    from glanced_at
    group by stock_day
),

-- once: of a join that is planned for one row the planner may make this again for every stock
answers as materialized (
    select
        stock_day,
        min(source) as source,
        min(stock_code) as stock_code,
        min(trade_date) as trade_date,
        min(trade_date)::timestamp at time zone 'Asia/Seoul' as day_begins_at,
        min(venue) as venue,
        array_agg(fetch_id order by fetch_id) as fetch_ids,
        array_agg(fetched_at order by fetch_id) as fetched_at
    from told_once
    group by stock_day
),

final as (
    select
        answers.trade_date,
        answers.source,
        answers.stock_code,
        answers.venue,
        answers.day_begins_at,
        answers.fetch_ids,
        answers.fetched_at,
        summed.bar_count,
        summed.sound_bar_count,
        summed.warned_bar_count,
        case when summed.has_bars_without_trades then 'NO_TRADES' else '' end as broken_rules,
        summed.volume,
        summed.sound_volume,
        summed.closes,
        summed.trading_value,
        summed.value_by_closes,
        summed.open_price,
        summed.high_price,
        summed.low_price,
        summed.close_price,
        summed.regular_volume,
        answers.day_begins_at + make_interval(mins => summed.first_regular_minute) as first_regular_at,
        answers.day_begins_at + make_interval(mins => summed.last_regular_minute) as last_regular_at,
        summed.has_no_totals,
        {% for array in arrays %}
        summed.{{ array }}{{ ',' if not loop.last }}
        {% endfor %}
    from summed
    inner join answers on summed.stock_day = answers.stock_day
    where
        summed.is_plain
        and summed.first_place > coalesce(summed.last_place_of_later_days, 0)
        and (summed.last_place < summed.first_place_of_earlier_days) is not false
)

select * from final
{%- endmacro %}
