{#  Two facts of the same grain hold the same keys. Arguments: other (both have stock_code and time), but
    (condition of rows that need no partner).  #}
{% test same_keys(model, other, but='false') %}

with tested as (
    select * from {{ model }}
    where not ({{ but }})
)

select tested.stock_code, tested.time
from tested
left join {{ other }} as compared
    on tested.stock_code = compared.stock_code and tested.time = compared.time
where compared.stock_code is null

{% endtest %}
