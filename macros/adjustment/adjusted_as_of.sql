{#
    Spans of a stock's history and the product of the factors after each: from valid_from on and before valid_before, which is
    the ex-date of the nearest of them. Days after the last ex-date are in no span. The product is exact (numerics multiplied, and
    rounded to twelve decimals at the end). Before a factor that nobody knows (NULL) there is one span without a product.
#}
{% macro adjustment_spans(factors, as_of, factor_column) -%}
    with recursive

    numbered as materialized (
        select
            stock_code,
            ex_date,
            {{ factor_column }} as factor,
            row_number() over stock_factors as step,
            lead(ex_date) over stock_factors as earlier_ex_date
        from {{ factors }}
        where ex_date <= {{ as_of }} and ({{ factor_column }} <> 1 or {{ factor_column }} is null)
        window stock_factors as (partition by stock_code order by ex_date desc)
    ),

    chained as (
        select
            stock_code,
            ex_date,
            earlier_ex_date,
            step,
            factor::numeric as product
        from numbered
        where step = 1
        union all
        select
            numbered.stock_code,
            numbered.ex_date,
            numbered.earlier_ex_date,
            numbered.step,
            chained.product * numbered.factor as product
        from chained
        inner join numbered on chained.stock_code = numbered.stock_code and chained.step + 1 = numbered.step
        where chained.product is not null
    )

    select
        stock_code,
        case when product is null then '-infinity' else coalesce(earlier_ex_date, '-infinity') end::date as valid_from,
        ex_date as valid_before,
        round(product, 12)::numeric(24, 12) as adjustment_factor
    from chained
{%- endmacro %}

{#  Raw bars times the product of their span: what ohlcv_daily_adjusted and its forms as of a day have in common  #}
{% macro adjusted_bars(bars, spans) -%}
    select
        adjusted.time,
        adjusted.stock_code,
        (adjusted.open_price * adjusted.factor)::numeric(18, 4) as open_price,
        (adjusted.high_price * adjusted.factor)::numeric(18, 4) as high_price,
        (adjusted.low_price * adjusted.factor)::numeric(18, 4) as low_price,
        (adjusted.close_price * adjusted.factor)::numeric(18, 4) as close_price,
        (adjusted.volume / adjusted.factor)::numeric(24, 4) as volume,
        adjusted.trading_value,
        adjusted.factor as adjustment_factor
    from (
        select
            bars.*,
            -- in no span: no factor comes later. In one without a product: nobody knows
            case when spans.stock_code is null then 1 else spans.adjustment_factor end::numeric(24, 12) as factor
        from {{ bars }} as bars
        left join {{ spans }} as spans
            on
                bars.stock_code = spans.stock_code
                and bars.time >= spans.valid_from
                and bars.time < spans.valid_before
    ) as adjusted
{%- endmacro %}

{#
    The adjusted bars as they stood on the evening of a day: bars up to it, factors with an ex-date up to it. A subquery with the
    columns of ohlcv_daily_adjusted, for models that refer to ohlcv_daily and adjustment_factors. `factor_column` is `factor` (what
    the exchange shows) or `total_return_factor` (without resets by auction).
    Example: select * from {{ adjusted_as_of('2024-06-30') }} as bars
#}
{% macro adjusted_as_of(day, factor_column='factor') -%}
    (
        {{ adjusted_bars(
            '(select * from ' ~ ref('ohlcv_daily') ~ " where time <= date '" ~ day ~ "')",
            '(' ~ adjustment_spans(ref('adjustment_factors'), "date '" ~ day ~ "'", factor_column) ~ ')'
        ) }}
    )
{%- endmacro %}

{#
    post-hook of ohlcv_daily_adjusted: the same as a function, for those who ask the database and not dbt. It is made anew with
    every build, and its body names tables, so that their rebuilding does not break it.
#}
{% macro create_adjusted_as_of() -%}
    {%- set spans -%}
        {{ adjustment_spans(ref('adjustment_factors'), 'as_of', 'case when with_resets then factor else total_return_factor end') }}
    {%- endset -%}
    create or replace function {{ this.schema }}.ohlcv_daily_adjusted_as_of(as_of date, with_resets boolean default true)
    returns table (
        "time" date,
        stock_code varchar,
        open_price numeric,
        high_price numeric,
        low_price numeric,
        close_price numeric,
        volume numeric,
        trading_value bigint,
        adjustment_factor numeric
    )
    language sql stable parallel safe
    as $function$
        {{ adjusted_bars('(select * from ' ~ ref('ohlcv_daily') ~ ' where time <= as_of)', '(' ~ spans ~ ')') }}
    $function$
{%- endmacro %}
