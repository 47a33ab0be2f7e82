"""An incremental model looks at the answers that tell of its days, and at no other that was ever collected."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.warehouse.small_project import SWAPPED, SmallProject

MODEL = (
    SWAPPED
    + """
    {% set at_hand = and_in_answers_to_days_to_rebuild('answers.fetch_id') %}
    with answers as (select * from {{ ref('cells') }} where dataset = 'bars' and status = 'SUCCESS')
    select collection_date as time, fetch_id::text as scope, 0 as value from answers
    where true {{ at_hand }} {{ and_in_days_to_rebuild('collection_date') }}
"""
)


@pytest.fixture
def project(new_database: Callable[..., Database], tmp_path: Path) -> SmallProject:
    made = SmallProject.write(tmp_path / "project", new_database())
    (made.folder / "models" / "bars.sql").write_text(MODEL, encoding="utf-8")
    return made


def told(project: SmallProject, attempt: int, day: str, *fetch_ids: int) -> None:
    with project.database.connect() as connection:
        # cells alone are looked at here: the answers themselves need not be there
        connection.execute("set session_replication_role = replica")
        for fetch_id in fetch_ids:
            connection.execute(
                "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status, started_at,"
                " completed_at, fetch_id) values (%s, 'test', 'bars', '', %s, 'SUCCESS', now(), now(), %s)",
                (attempt, day, fetch_id),
            )


def ranges(project: SmallProject) -> list[tuple[int, int]]:
    (compiled,) = (project.folder / "target" / "compiled").rglob("bars.sql")
    found = re.findall(r"answers\.fetch_id between (\d+) and (\d+)", compiled.read_text())
    return sorted((int(first), int(last)) for first, last in found)


def test_answers_that_lie_near_each_other_share_a_range_and_far_ones_do_not(
    project: SmallProject,
) -> None:
    told(project, 1, "2026-05-06", 5, 6)
    project.dbt("run", "--select", "cells", "bars")
    assert ranges(project) == [], "a first build takes everything in"
    told(project, 2, "2026-05-07", 10, 11, 700, 40_000)
    told(project, 3, "2026-05-08", 12, 41_500)
    project.dbt("run", "--select", "bars")
    assert ranges(project) == [(10, 700), (40_000, 40_000), (41_500, 41_500)]
    assert [scope for _, scope, _ in project.table("bars")] == [
        "5", "6", "10", "11", "40000", "700", "12", "41500",
    ]  # fmt: skip


def test_never_more_than_fifty_ranges(project: SmallProject) -> None:
    project.dbt("run", "--select", "cells", "bars")
    fetch_ids = [number * 10_000 for number in range(1, 301)]
    told(project, 1, "2026-05-07", *fetch_ids)
    project.dbt("run", "--select", "bars")
    assert 1 <= len(ranges(project)) <= 50
    assert len(project.table("bars")) == 300
    told(project, 2, "2026-05-08")
    project.dbt("run", "--select", "bars")
    assert len(project.table("bars")) == 300
