"""Two time series over the real macros: the small project with minute bars and flows of its ledger, and a view on them."""

from pathlib import Path

import yaml

from tests.conftest import Database
from tests.warehouse.small_project import SmallProject

TIME_SERIES = """
{{{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={{
        'day_column': 'time',
        'day_is_moment': {is_moment},
        'datasets': ['bars'],
        'timeseries': {{
            'native_partitions': {months},
            'chunk_interval': 'timeseries_chunk_interval',
            {aggregates}
        }},
    }},
    indexes=[{{'columns': ['time']}}],
) }}}}
with cells as (
    select *, max(attempt_id) over (partition by dataset, collection_date) as newest from {{{{ ref('cells') }}}}
    where dataset = 'bars' and status = 'SUCCESS' {{{{ and_in_days_to_rebuild('collection_date') }}}}
)
select {time} as time, scope as stock_code{more}, error::integer as value{columns} from cells where attempt_id = newest
"""
FLOWS = {
    "columns": ", 1000 * error::bigint as net_buy_volume, -7 * error::bigint as net_buy_value, completed_at as created_at",
    "aggregates": "'aggregated_by': 'aggregated_flows', 'aggregates': {'flows_weekly': 'week', 'flows_monthly': 'month'},",
}
# before nine in Korea it is yesterday in UTC: of the first of a month, last month
HALF_PAST_EIGHT = "(collection_date + time '08:30') at time zone 'Asia/Seoul'"


def _properties(
    name: str, key: dict[str, str], more: dict[str, str] | None = None
) -> dict[str, object]:
    columns = [
        {"name": column, "data_type": kind, "constraints": [{"type": "not_null"}]}
        for column, kind in key.items()
    ]
    others = {"value": "integer"} | (more or {})
    return {
        "name": name,
        "description": f"kept as {name}",
        "config": {"contract": {"enforced": True}},
        "constraints": [{"type": "primary_key", "columns": sorted(key)}],
        "columns": [
            *columns,
            *({"name": name, "data_type": kind} for name, kind in others.items()),
        ],
    }


def write(folder: Path, database: Database) -> SmallProject:
    """Write the small project with `ticks` (months apart), `flows` (one table) and the view `newest_ticks`."""
    project = SmallProject.write(folder, database)
    models = folder / "models"
    key = {"time": "timestamptz", "stock_code": "text"}
    ticks = _properties("ticks", key)
    flows = _properties(
        "flows",
        key | {"time": "date", "investor_type": "text"},
        {"net_buy_volume": "bigint", "net_buy_value": "bigint", "created_at": "timestamptz"},
    )
    (models / "storage.yml").write_text(yaml.safe_dump({"models": [ticks, flows]}))
    (models / "ticks.sql").write_text(
        TIME_SERIES.format(
            is_moment="true",
            months="'month'",
            time=HALF_PAST_EIGHT,
            more="",
            columns="",
            aggregates="",
        )
    )
    (models / "flows.sql").write_text(
        TIME_SERIES.format(
            is_moment="false", months="none", time="collection_date", more=", 'RETAIL' as investor_type", **FLOWS
        )
    )  # fmt: skip
    (models / "newest_ticks.sql").write_text(
        "{{ config(materialized='view') }} select stock_code, max(time) as time from {{ ref('ticks') }} group by 1"
    )
    return project
