-- Checked rows of every source beside those of the source that was published. A weekly list is compared with those of
-- the week before it: what comes late reaches five sessions.
{% set datasets = [
    'ohlcv_daily', 'investor_trading', 'ohlcv_minute', 'index_daily', 'foreign_ownership_daily', 'etf_portfolios',
    'floating_shares', 'index_components',
] %}
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={'day_column': 'time', 'datasets': datasets, 'reaches_sessions': 5},
    indexes=[{'columns': ['time']}, {'columns': ['stock_code', 'time']}],
) }}

{% set prices = ['open_price', 'high_price', 'low_price', 'close_price', 'base_price', 'volume', 'trading_value'] %}
{% set caps = ['shares_outstanding', 'market_cap'] %}
{% set flows = ['buy_volume', 'sell_volume', 'buy_value', 'sell_value'] %}
{% set levels = ['open', 'high', 'low', 'close', 'volume', 'trading_value', 'market_cap'] %}
{% set ownership = ['owned_shares', 'ownership_ratio', 'limit_ratio'] %}
{% set bars = ['open_price', 'high_price', 'low_price', 'close_price', 'volume'] %}

-- depends_on: {{ ref('trading_calendar') }}
with

-- thirty years of one source are not laid beside themselves
days_of_several_sources as (
    select trade_date
    from {{ ref('int_daily_prices__unioned') }}
    where
        broken_rules = ''
        {{ and_in_days_to_rebuild('trade_date') }}
    group by trade_date
    having min(source) <> max(source)
),

daily_prices as (
    select
        source,
        stock_code as item,
        '' as detail,
        trade_date as time,
        open_price,
        high_price,
        low_price,
        close_price,
        base_price,
        volume,
        trading_value,
        listed_shares as shares_outstanding,
        coalesce(vendor_market_cap, close_price * listed_shares) as market_cap,
        fetch_id,
        fetched_at
    from {{ ref('int_daily_prices__unioned') }}
    where
        broken_rules = ''
        and trade_date in (select days_of_several_sources.trade_date from days_of_several_sources)
        {{ and_in_days_to_rebuild('trade_date') }}
),

investor_flows as (
    select
        source,
        stock_code as item,
        investor_code as detail,
        trade_date as time,
        sum(buy_volume) as buy_volume,
        sum(sell_volume) as sell_volume,
        sum(buy_value) as buy_value,
        sum(sell_value) as sell_value,
        max(fetch_id) as fetch_id,
        max(fetched_at) as fetched_at
    from {{ ref('int_investor_trading__unioned') }}
    where
        not is_held_back
        and investor_code is not null
        {{ and_in_days_to_rebuild('trade_date') }}
    group by source, stock_code, investor_code, trade_date
),

-- minutes of two vendors differ by some shares; what they make of a day is compared
minute_days as (
    select
        source,
        stock_code as item,
        '' as detail,
        trade_date as time,
        open_price,
        high_price,
        low_price,
        close_price,
        regular_volume as volume,
        fetch_id,
        fetched_at
    from {{ ref('int_minute_bars__summed') }}
    where
        venue = 'KRX'
        and regular_volume is not null
        {{ and_in_days_to_rebuild('trade_date') }}
),

index_levels as (
    select
        source,
        index_name as item,
        '' as detail,
        trade_date as time,
        open,
        high,
        low,
        close,
        volume,
        trading_value,
        market_cap,
        fetch_id,
        fetched_at
    from {{ ref('int_index_levels__unioned') }}
    where
        broken_rules = ''
        {{ and_in_days_to_rebuild('trade_date') }}
),

foreign_ownership as (
    select
        source,
        stock_code as item,
        '' as detail,
        trade_date as time,
        owned_shares,
        ownership_ratio,
        limit_ratio,
        fetch_id,
        fetched_at
    from {{ ref('int_foreign_ownership__unioned') }}
    where
        broken_rules = ''
        {{ and_in_days_to_rebuild('trade_date') }}
),

-- cash and contracts bear a code of their own with every vendor
fund_lines as (
    select
        source,
        stock_code as item,
        component_code as detail,
        trade_date as time,
        sum(weight) as weight,
        sum(shares) as shares,
        max(fetch_id) as fetch_id,
        max(fetched_at) as fetched_at
    from {{ ref('int_etf_portfolios__unioned') }}
    where
        not is_held_back
        and component_code ~ '^[0-9][0-9A-Z]{5}$'
        {{ and_in_days_to_rebuild('trade_date') }}
    group by source, stock_code, component_code, trade_date
),

source_priorities as (
    select
        source,
        priority
    from {{ ref('source_priorities') }}
    where dataset = 'floating_shares'
),

floats as (
    select
        floating_shares.source,
        floating_shares.stock_code as item,
        floating_shares.collection_date,
        floating_shares.floating_shares,
        coalesce(source_priorities.priority, 99) as priority,
        floating_shares.fetch_id,
        floating_shares.fetched_at
    from {{ ref('int_floating_shares__unioned') }} as floating_shares
    left join source_priorities on floating_shares.source = source_priorities.source
    where floating_shares.broken_rules = ''
),

-- the newest word of either source within a week, on the day of the later one
float_pairs as (
    select distinct on (newer.item, newer.source, newer.collection_date, older.source)
        newer.item,
        newer.collection_date as time,
        newer.source as newer_source,
        older.source as older_source,
        newer.floating_shares as newer_shares,
        older.floating_shares as older_shares,
        newer.fetch_id as newer_fetch_id,
        older.fetch_id as older_fetch_id,
        newer.priority < older.priority as is_newer_published,
        greatest(newer.fetched_at, older.fetched_at) as fetched_at
    from floats as newer
    inner join floats as older
        on
            newer.item = older.item
            and newer.source <> older.source
            and newer.collection_date - 6 <= older.collection_date
            and (newer.collection_date, newer.source) > (older.collection_date, older.source)
    where
        true
        {{ and_in_days_to_rebuild('newer.collection_date') }}
    order by
        newer.item, newer.source, newer.collection_date, older.source, older.collection_date desc
),

index_members as (
    select
        source,
        index_name,
        stock_code,
        trade_date,
        fetch_id,
        fetched_at
    from {{ ref('int_index_members__unioned') }}
    where
        broken_rules = ''
        {{ and_in_days_to_rebuild('trade_date') }}
),

member_lists as (
    select
        source,
        index_name,
        trade_date,
        max(fetch_id) as fetch_id,
        max(fetched_at) as fetched_at
    from index_members
    group by source, index_name, trade_date
),

index_sources as (
    select
        index_name,
        source
    from {{ ref('index_components') }}
    where end_date is null
    group by index_name, source
),

-- lists of one day in which a name may stand or not
list_pairs as (
    select
        own_lists.index_name,
        own_lists.trade_date,
        own_lists.source as published_source,
        other_lists.source as other_source,
        own_lists.fetch_id as published_fetch_id,
        other_lists.fetch_id as other_fetch_id,
        greatest(own_lists.fetched_at, other_lists.fetched_at) as fetched_at
    from index_sources
    inner join member_lists as own_lists
        on index_sources.index_name = own_lists.index_name and index_sources.source = own_lists.source
    inner join member_lists as other_lists
        on
            own_lists.index_name = other_lists.index_name
            and own_lists.trade_date = other_lists.trade_date
            and own_lists.source <> other_lists.source
),

listed_once as (
    select
        list_pairs.*,
        index_members.stock_code,
        max((index_members.source = list_pairs.published_source)::integer) as published_value
    from list_pairs
    inner join index_members
        on
            list_pairs.index_name = index_members.index_name
            and list_pairs.trade_date = index_members.trade_date
            and index_members.source in (list_pairs.published_source, list_pairs.other_source)
    group by
        list_pairs.index_name, list_pairs.trade_date, list_pairs.published_source, list_pairs.other_source,
        list_pairs.published_fetch_id, list_pairs.other_fetch_id, list_pairs.fetched_at, index_members.stock_code
    having count(distinct index_members.source) = 1
),

published as (
    {% for dataset, mart, item, day in [
        ('ohlcv_daily', 'ohlcv_daily', 'stock_code', 'time'),
        ('market_cap_daily', 'ohlcv_daily', 'stock_code', 'time'),
        ('investor_trading', 'investor_trading_detail', 'stock_code', 'time'),
        ('index_daily', 'index_daily', 'index_name', 'time'),
        ('foreign_ownership_daily', 'foreign_ownership_daily', 'stock_code', 'time'),
        ('etf_portfolios', 'etf_portfolios', 'etf_code', 'base_date'),
        ('ohlcv_minute', 'int_minute_bars__chosen_stock_days', 'stock_code', 'trade_date'),
    ] %}
    select
        '{{ dataset }}' as dataset,
        {{ item }} as item,
        {{ day }} as time,
        source
    from {{ ref(mart) }}
    where
        true
        {{ and_in_days_to_rebuild(day) }}
    group by {{ item }}, {{ day }}, source
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

unioned as (
    {{ disagreeing_values('ohlcv_daily', 'daily_prices', prices) }}
    union all
    {{ disagreeing_values('market_cap_daily', 'daily_prices', caps) }}
    union all
    {{ disagreeing_values('investor_trading', 'investor_flows', flows) }}
    union all
    {{ disagreeing_values('ohlcv_minute', 'minute_days', bars) }}
    union all
    {{ disagreeing_values('index_daily', 'index_levels', levels) }}
    union all
    {{ disagreeing_values('foreign_ownership_daily', 'foreign_ownership', ownership) }}
    union all
    {{ disagreeing_values('etf_portfolios', 'fund_lines', ['weight', 'shares']) }}
    union all
    select
        'floating_shares' as dataset,
        item,
        '' as detail,
        time,
        'floating_shares' as field,
        case when is_newer_published then newer_source else older_source end as published_source,
        case when is_newer_published then older_source else newer_source end as other_source,
        case when is_newer_published then newer_shares else older_shares end as published_value,
        case when is_newer_published then older_shares else newer_shares end as other_value,
        case when is_newer_published then newer_fetch_id else older_fetch_id end as published_fetch_id,
        case when is_newer_published then older_fetch_id else newer_fetch_id end as other_fetch_id,
        fetched_at
    from float_pairs
    where newer_shares <> older_shares
    union all
    select
        'index_components' as dataset,
        stock_code as item,
        index_name as detail,
        trade_date as time,
        'is_member' as field,
        published_source,
        other_source,
        published_value::numeric as published_value,
        1 - published_value::numeric as other_value,
        published_fetch_id,
        other_fetch_id,
        fetched_at
    from listed_once
),

tolerances as (
    select * from {{ ref('disagreement_tolerances') }}
),

units as (
    select * from {{ ref('vendor_units') }}
    where factor > 1
),

tolerated as (
    select
        unioned.*,
        unioned.other_value - unioned.published_value as difference,
        widest.tolerance
    from unioned
    cross join lateral (
        select coalesce(max(
            tolerances.absolute_tolerance
            + tolerances.relative_tolerance * abs(unioned.published_value)
            -- pensions and the state are two types of one vendor, and each is cut
            + case when unioned.dataset = 'investor_trading' and unioned.detail = 'PENSION' then 2 else 1 end
            * (coalesce(published_units.factor, 0) + coalesce(other_units.factor, 0))
        ), 0) as tolerance
        from tolerances
        left join units as published_units
            on
                tolerances.dataset = published_units.dataset
                and tolerances.unit_kind = published_units.field
                and unioned.published_source = published_units.source
        left join units as other_units
            on
                tolerances.dataset = other_units.dataset
                and tolerances.unit_kind = other_units.field
                and unioned.other_source = other_units.source
        where
            tolerances.dataset = unioned.dataset
            and tolerances.field = unioned.field
            and coalesce(tolerances.source, unioned.other_source) in (unioned.published_source, unioned.other_source)
    ) as widest
),

final as (
    select
        dataset::varchar(50) as dataset,
        case when item ~ '^[0-9][0-9A-Z]{5}$' then item end::varchar(10) as stock_code,
        item::varchar(100) as item,
        detail::varchar(100) as detail,
        time,
        field::varchar(50) as field,
        published_source::varchar(20) as published_source,
        other_source::varchar(20) as other_source,
        published_value::numeric(30, 6) as value_published,
        other_value::numeric(30, 6) as value_other,
        difference::numeric(30, 6) as difference,
        tolerance::numeric(30, 6) as tolerance,
        published_fetch_id,
        other_fetch_id,
        fetched_at as created_at
    from tolerated
    where abs(difference) > tolerance
)

select * from final
