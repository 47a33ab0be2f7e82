"""The audit of what a build changed in a mart: by day, in the transaction that exchanges the rows.

The tests of this file are one story and run in its order.
"""

from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.warehouse.small_project import SmallProject

DAY, NEXT_DAY = "2026-05-06", "2026-05-07"


@pytest.fixture(scope="module")
def project(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> SmallProject:
    return SmallProject.write(tmp_path_factory.mktemp("audited") / "project", new_database())


def changes(project: SmallProject, mart: str = "weekly") -> list[tuple[object, ...]]:
    """Kind, day, rows before, after, added, removed and changed by the newest build."""
    return project.database.rows(
        "select kind, day::text, rows_before, rows_after, rows_added, rows_removed, rows_changed from ops.mart_changes"
        " where invocation_id = (select invocation_id from ops.build_runs order by started_at desc limit 1)"
        f" and mart = '{mart}' order by day"
    )


def test_a_first_build_is_one_row_and_not_one_a_day(project: SmallProject) -> None:
    project.collect(1, DAY, a=10, b=20)
    project.collect(2, NEXT_DAY, a=11, b=21)
    project.dbt("run")
    assert changes(project) == [("FIRST_BUILD", None, 0, 4, 4, 0, 0)]


def test_days_tell_what_was_added_removed_and_changed(project: SmallProject) -> None:
    project.collect(3, DAY, a=10, b=25)  # one value of two
    project.collect(4, NEXT_DAY, a=11, c=31, d=41)  # b goes, c and d come
    project.collect(5, "2026-05-08", a=12)
    project.dbt("run")
    assert changes(project) == [
        ("DAYS", DAY, 2, 2, 0, 0, 1),
        ("DAYS", NEXT_DAY, 2, 3, 2, 1, 0),
        ("DAYS", "2026-05-08", 0, 1, 1, 0, 0),
    ]
    assert changes(project, "bars") == changes(project)


def test_days_that_come_back_as_they_were_and_builds_without_days_leave_nothing(
    project: SmallProject,
) -> None:
    project.collect(6, DAY, a=10, b=25)
    project.dbt("run")
    assert changes(project) == changes(project, "bars") == []
    project.dbt("run")
    assert changes(project) == changes(project, "bars") == []
    # a table without a key is not audited, and a table that only grows tells of itself
    assert project.database.rows("select distinct mart from ops.mart_changes order by 1") == [
        ("bars",), ("weekly",),
    ]  # fmt: skip


def test_new_days_are_counted_by_day(project: SmallProject) -> None:
    project.collect(7, "2026-05-11", a=1, b=2)
    project.collect(8, "2026-05-12", a=1)
    project.dbt("run")
    assert changes(project) == [
        ("DAYS", "2026-05-11", 0, 2, 2, 0, 0),
        ("DAYS", "2026-05-12", 0, 1, 1, 0, 0),
    ]


def test_a_killed_build_has_changed_nothing_and_says_so(project: SmallProject) -> None:
    known = "select count(*) from ops.mart_changes"
    before = project.database.rows(known)
    project.collect(9, DAY, a=99)
    with project.stalled("bars") as build:
        project.kill(build)
    assert project.database.rows(known) == before
    project.dbt("run")
    assert changes(project) == [("DAYS", DAY, 2, 1, 0, 1, 1)]


def test_a_full_refresh_is_one_row_with_the_counts_of_both(project: SmallProject) -> None:
    project.collect(10, "2026-05-13", a=5)
    project.dbt("run", "--full-refresh")
    assert changes(project) == [("FULL_REFRESH", None, 8, 9, None, None, None)]
