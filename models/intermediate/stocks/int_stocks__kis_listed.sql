-- What of the broker's master files belongs into the stock master: shares, depositary receipts, investment companies,
-- REITs, infrastructure and ship funds, ETFs and ETNs. Left out here: ELWs (EW), warrants and rights (SW, SR) and
-- beneficiary certificates of open-end funds (BC), which are no securities that the warehouse follows.
{% set groups = ['ST', 'FS', 'DR', 'MF', 'RT', 'IF', 'SC', 'EF', 'FE', 'EN'] %}

with

{% for market in ['kospi', 'kosdaq', 'konex'] %}
{{ market }} as (
    select * from {{ ref('stg_kis__' ~ market ~ '_code') }}
),

{% endfor %}
unioned as (
    select * from kospi
    union all
    select * from kosdaq
    union all
    select * from konex
),

final as (
    select * from unioned
    where vendor_security_type in ('{{ groups | join("', '") }}')
)

select * from final
