"""What the incremental models rely on: whole days, in agreement with the recorded progress, whatever happens.

The tests of this file are one story and run in its order: each one builds on what the one before has left.
"""

from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.warehouse.small_project import SmallProject


@pytest.fixture(scope="module")
def project(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> SmallProject:
    return SmallProject.write(tmp_path_factory.mktemp("small") / "project", new_database())


def warned(project: SmallProject) -> set[object]:
    """Tables in which the newest run has found a negative value."""
    return {
        table
        for (table,) in project.database.rows(
            "select table_name from quality.dbt_test_results where status = 'warn'"
            " and invocation_id = (select invocation_id from ops.build_runs order by started_at desc limit 1)"
        )
    }


def test_a_first_build_takes_everything_in_tests_it_and_records_how_far_it_is(
    project: SmallProject,
) -> None:
    project.collect(1, "2020-03-02", a=-1)
    project.collect(2, "2026-05-06", a=10, b=20)
    project.collect(3, "2026-05-07", a=11, b=21)
    project.dbt("build")
    assert project.table("bars") == project.table("weekly") == [
        ("2020-03-02", "a", -1),
        ("2026-05-06", "a", 10), ("2026-05-06", "b", 20),
        ("2026-05-07", "a", 11), ("2026-05-07", "b", 21),
    ]  # fmt: skip
    assert project.progress() == {"bars": 5, "weekly": 5, "log": 5}
    # six years before the newest row, and still looked at
    assert warned(project) == {"bars", "weekly"}


def test_a_build_without_new_cells_writes_no_row_and_tests_the_window_alone(
    project: SmallProject,
) -> None:
    before = project.versions()
    project.dbt("build")
    assert project.versions() == before
    assert warned(project) == set()


def test_whole_days_are_swapped_other_days_are_not_touched_and_what_was_built_is_tested(
    project: SmallProject,
) -> None:
    untouched = "select time::text, ctid::text, xmin::text from marts.bars where time = '2026-05-06' order by 1, 2"
    before = project.database.rows(untouched)
    project.collect(4, "2026-05-07", a=12)  # scope b is not in the newer answer
    project.collect(5, "2021-01-04", a=-5)
    project.dbt("build")
    assert project.table("weekly") == [
        ("2020-03-02", "a", -1), ("2021-01-04", "a", -5),
        ("2026-05-06", "a", 10), ("2026-05-06", "b", 20), ("2026-05-07", "a", 12),
    ]  # fmt: skip
    assert project.database.rows(untouched) == before
    # five years outside the window, but new
    assert warned(project) == {"bars", "weekly"}


def test_a_table_built_alone_waits_for_the_one_that_it_reads(project: SmallProject) -> None:
    project.collect(6, "2026-05-08", a=13)
    before, progress = project.table("weekly"), project.progress()
    project.dbt("run", "--select", "weekly")
    assert (project.table("weekly"), project.progress()) == (before, progress)
    project.dbt("run")
    assert project.table("weekly") == [*before, ("2026-05-08", "a", 13)]
    assert set(project.progress().values()) == {8}


def test_a_build_killed_between_the_rows_and_the_progress_has_changed_neither(
    project: SmallProject,
) -> None:
    before, progress = project.table("bars"), project.progress()
    project.collect(7, "2026-05-06", a=100)
    with project.stalled("bars") as build:
        project.kill(build)
    assert project.table("bars") == before
    assert project.progress()["bars"] == progress["bars"]
    project.dbt("run")
    changed = [row for row in before if row[0] != "2026-05-06"] + [("2026-05-06", "a", 100)]
    assert project.table("bars") == project.table("weekly") == sorted(changed)
    assert ("INTERRUPTED", 1) in project.database.rows(
        "select outcome, count(*) from ops.build_runs group by outcome"
    )


def test_what_a_load_adds_during_a_full_build_is_neither_lost_nor_doubled(
    project: SmallProject,
) -> None:
    ledger = "select array_agg(ledger_id order by ledger_id) from "
    with project.stalled("cells", "--full-refresh"):
        project.collect(8, "2026-05-12", a=15)
    assert set(project.progress().values()) == {9}
    # the log tells of nothing that the other tables of the run have not taken in
    assert project.database.rows("select max(ledger_id) from marts.log") == [(9,)]
    project.dbt("run")
    assert project.database.rows(ledger + "marts.log") == project.database.rows(
        ledger + "raw.fetch_cells"
    )
    assert project.table("weekly")[-1] == ("2026-05-12", "a", 15)
