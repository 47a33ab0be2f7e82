{{ config(
    materialized='view',
    post_hook=["{{ create_adjusted_as_of() }}"],
) }}
-- depends_on: {{ ref('adjustment_factors') }}

with

final as (
    {{ adjusted_bars(ref('ohlcv_daily'), ref('int_adjustment_factors__spans')) }}
)

select * from final
