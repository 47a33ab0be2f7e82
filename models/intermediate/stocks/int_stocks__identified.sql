-- Which short code an ISIN names. A list that has both is the surest; where none has the ISIN, it is made for the codes
-- that are known, as the exchange makes it for common stocks. Codes are never cut out of an ISIN.
{{ config(materialized='table', indexes=[{'columns': ['isin'], 'unique': true}]) }}

with

versions as (
    select
        stock_code,
        isin,
        list_date
    from {{ ref('int_stocks__versioned') }}
),

delisted as (
    select
        stock_code,
        isin,
        delisting_date
    from {{ ref('int_stocks__delisted') }}
),

last_priced as (
    select stock_code from {{ ref('int_stocks__last_priced') }}
),

listed as (
    select
        isin,
        stock_code,
        list_date as known_on
    from versions
    where isin is not null
    union all
    select
        isin,
        stock_code,
        delisting_date as known_on
    from delisted
    where isin is not null
),

known_codes as (
    select stock_code from versions
    union
    select stock_code from delisted
    union
    select stock_code from last_priced
),

unioned as (
    select
        isin,
        stock_code,
        'LISTED' as basis,
        known_on
    from listed
    union all
    select
        {{ common_stock_isin('known_codes.stock_code') }} as isin,
        stock_code,
        'MADE' as basis,
        null as known_on
    from known_codes
    where stock_code ~ '^[0-9][0-9A-Z]{5}$'
),

ranked as (
    select
        *,
        row_number() over (partition by isin order by basis, known_on desc nulls last, stock_code) as preference
    from unioned
),

final as (
    select
        isin,
        stock_code,
        basis
    from ranked
    where preference = 1
)

select * from final
