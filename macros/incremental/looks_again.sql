{#
    Days whose rows would be others by now, because a list of stocks has come since that they are judged by: queries of days as
    texts, for meta.looks_again (see progress.sql). Each is empty after its days were made again, and reads what is in question
    alone: it is asked in every build.
#}

{#
    A column of the table at hand, or null where an older version made it without: it is appended when the table is built
    (on_schema_change), after its days were asked for.
#}
{% macro own_column(alias, column) -%}
    {%- set names = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
    {{ return(alias ~ '.' ~ column if column in names else 'null::text') }}
{%- endmacro %}

{#
    Of int_index_members__unioned: lists with an ISIN or a market that nobody knew, and those that were taken for lists of another
    index, by markets which the lists of stocks have corrected since
#}
{% macro days_of_members_known_since() -%}
    {%- set market = own_column('members', 'market') %}
    select distinct to_char(members.trade_date, 'YYYY-MM-DD')
    from {{ this }} as members
    where
        (
            members.broken_rules = 'ISIN_UNKNOWN'
            and members.isin in (select identified.isin from {{ ref('int_stocks__identified') }} as identified)
        )
        or (
            {{ market }} is null
            and members.stock_code in (
                select versions.stock_code
                from {{ ref('int_stocks__versioned') }} as versions
                inner join {{ ref('markets') }} as markets on versions.vendor_market = markets.vendor_market
            )
        )
        or (
            members.broken_rules = 'MEMBER_OF_OTHER_MARKET'
            -- of the list next to the day, as the model takes it
            and {{ market }} is distinct from (
                select markets.market
                from {{ ref('int_stocks__versioned') }} as versions
                inner join {{ ref('markets') }} as markets on versions.vendor_market = markets.vendor_market
                where versions.stock_code = members.stock_code
                order by versions.list_date > members.trade_date, abs(versions.list_date - members.trade_date)
                limit 1
            )
        )
{%- endmacro %}

{#
    Of int_adjustment_factors__computed: names whose kind, market, listing date or earlier bars are others by now, where that changes
    the word on them. A name that moves to another market does not make its whole history again.
#}
{% macro days_of_bars_known_since() -%}
    {%- set market = own_column('judged', 'market') %}
    {#-  rows of before the column are of stocks: no plain load brought funds then  -#}
    {%- set is_fund = 'coalesce((' ~ own_column('judged', 'is_fund') ~ ')::boolean, false)' %}
    select distinct to_char(judged.trade_date, 'YYYY-MM-DD')
    from {{ this }} as judged
    inner join {{ ref('stocks') }} as stocks on judged.stock_code = stocks.stock_code
    where
        case
            -- ticks, sessions and kinds of a fund are its own, however far its base moved
            when {{ is_fund }} is distinct from (stocks.security_type in ('ETF', 'ETN')) then true
            -- a market has its ticks, and nothing that moved by more than the largest is a rounding
            when judged.previous_close is not null
                then
                    {{ market }} is distinct from stocks.market
                    and abs(judged.base_price - judged.previous_close)
                    < (select max(ticks.tick) from {{ ref('tick_sizes') }} as ticks)
            when stocks.listing_date = judged.trade_date then judged.reason <> 'FIRST_SESSION'
            when judged.reason = 'MISSING_SESSION' then {{ market }} is null and stocks.market is not null
            when stocks.market = 'KONEX' or stocks.listing_date < judged.trade_date then judged.reason <> 'NO_PREVIOUS_CLOSE'
            else
                (judged.reason = 'NO_PREVIOUS_CLOSE') <> exists (
                    select from {{ ref('ohlcv_daily') }} as bars
                    where bars.stock_code = judged.stock_code and bars.time < judged.trade_date
                )
        end
{%- endmacro %}

{#  Of etf_portfolios: components that are funds, as a list says by now  #}
{% macro days_of_funds_known_since() -%}
    select distinct to_char(components.base_date, 'YYYY-MM-DD')
    from {{ ref('stocks') }} as funds
    cross join lateral (
        select portfolios.base_date
        from {{ this }} as portfolios
        where portfolios.component_code = funds.stock_code and portfolios.component_type = 'STOCK'
        -- by the index on the component, code by code: of all rows these are next to none
        offset 0
    ) as components
    where funds.security_type = 'ETF'
{%- endmacro %}

{#  Of int_collection__missing_names: names that were not listed on the day, as the lists say by now  #}
{% macro days_of_names_not_listed() -%}
    select distinct to_char(missing.trade_date, 'YYYY-MM-DD')
    from {{ this }} as missing
    where not exists (
        select from {{ ref('stocks') }} as stocks
        where
            stocks.stock_code = missing.stock_code
            and missing.trade_date >= stocks.listing_date
            and (missing.trade_date < stocks.delisting_date or stocks.delisting_date is null)
    )
{%- endmacro %}
