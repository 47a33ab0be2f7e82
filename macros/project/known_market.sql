{#
    Join to the market that a vendor's word means: the seed's longest word that it is or begins with, as `markets`. The
    exchange divides its markets anew now and then, and a stock of a segment that nobody has named here is still one of
    its market.

    Needs a CTE `markets` of the seed. Example: left_join_market('views.vendor_market')
#}
{% macro left_join_market(vendor_market) -%}
left join lateral (
        select
            markets.market,
            markets.segment
        from markets
        where
            {{ vendor_market }} = markets.vendor_market
            -- a digit is a whole code: 15 does not begin with a market
            or (length(markets.vendor_market) > 1 and starts_with({{ vendor_market }}, markets.vendor_market))
        order by length(markets.vendor_market) desc
        limit 1
    ) as markets on true
{%- endmacro %}
