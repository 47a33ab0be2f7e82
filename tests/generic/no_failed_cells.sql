{#
    No cell's newest attempt of the last days has failed: what failed is asked for again, and until it comes somebody
    should know. Arguments: within_days (by the time of the attempt, so that a back-fill counts too).
#}
{% test no_failed_cells(model, within_days=14) %}

with newest as (
    select distinct on (data_type, source, scope, collection_date)
        data_type,
        source,
        scope,
        collection_date,
        status,
        error_message
    from {{ model }}
    where completed_at > now() - interval '{{ within_days }} days'
    order by data_type, source, scope, collection_date, ledger_id desc
)

select *
from newest
where status in ('FAILED', 'PARTIAL')

{% endtest %}
