"""Tables whose rows tell of more than a day: a changed day makes its period again, and the sessions that look back at it.

The tests of this file are one story and run in its order.
"""

from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.warehouse.small_project import SmallProject

SWAPPED = "{{ config(materialized='incremental', incremental_strategy='swap_days', meta=META) }}"
MODELS = {
    "trading_calendar": """
        {{ config(materialized='table') }}
        select day::date as date, extract(isodow from day) < 6 and day <> '2026-05-05' as is_session
        from generate_series(timestamp '2025-01-01', timestamp '2027-12-31', '1 day') as day
    """,
    "weeks": SWAPPED.replace(
        "META", "{'day_column': 'week', 'datasets': ['bars'], 'period': 'week'}"
    )
    + """
        select date_trunc('week', time::timestamp)::date as week, scope, sum(value)::integer as value
        from {{ ref('bars') }} where true {{ and_in_periods_to_rebuild('time') }} group by 1, 2
    """,
    # the sum over three sessions
    "running": SWAPPED.replace(
        "META", "{'day_column': 'time', 'datasets': ['bars'], 'reaches_sessions': 2}"
    )
    + """
        with bars as (
            select bars.*, calendar.number from {{ ref('bars') }} as bars
            inner join (
                select date, count(*) over (order by date) as number from {{ ref('trading_calendar') }} where is_session
            ) as calendar on bars.time = calendar.date
            where true {{ and_in_sessions_that_reach_days_to_rebuild('bars.time') }}
        ),
        summed as (
            select time, scope, sum(value) over (
                partition by scope order by number range between 2 preceding and current row
            )::integer as value from bars
        )
        select * from summed where true {{ and_in_days_to_rebuild('time') }}
    """,
}


@pytest.fixture(scope="module")
def project(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> SmallProject:
    project = SmallProject.write(tmp_path_factory.mktemp("periods") / "project", new_database())
    for name, query in MODELS.items():
        (project.folder / "models" / f"{name}.sql").write_text(query, encoding="utf-8")
    return project


def weeks(project: SmallProject) -> list[tuple[object, ...]]:
    return project.database.rows("select week::text, value from marts.weeks order by 1")


def running(project: SmallProject) -> list[tuple[object, ...]]:
    return project.database.rows("select time::text, value from marts.running order by 1")


def rebuilt(project: SmallProject, model: str) -> object:
    """Days that the newest build of a table made again."""
    ((days,),) = project.database.rows(
        "select rebuilt_days::text[] from ops.build_progress"
        f" where model = 'model.korean_market_warehouse.{model}'"
    )
    return days


def test_a_first_build_takes_everything_in(project: SmallProject) -> None:
    # Thursday and Friday, Monday; Tuesday is a holiday
    for attempt, (day, value) in enumerate(
        [("2026-04-30", 1), ("2026-05-01", 2), ("2026-05-04", 4)], start=1
    ):
        project.collect(attempt, day, a=value)
    project.dbt("run")
    assert weeks(project) == [("2026-04-27", 3), ("2026-05-04", 4)]
    assert running(project) == [("2026-04-30", 1), ("2026-05-01", 3), ("2026-05-04", 7)]


def test_a_new_day_makes_its_own_period_and_session_alone(project: SmallProject) -> None:
    project.collect(4, "2026-05-06", a=8)
    project.dbt("run")
    assert weeks(project) == [("2026-04-27", 3), ("2026-05-04", 12)]
    assert running(project)[-1] == ("2026-05-06", 14)
    assert rebuilt(project, "weeks") == ["2026-05-04"]
    assert rebuilt(project, "running") == ["2026-05-06"]


def test_a_late_correction_reaches_as_far_as_sessions_look_back_and_no_further(
    project: SmallProject,
) -> None:
    project.collect(5, "2026-05-07", a=16)
    project.dbt("run")
    project.collect(6, "2026-04-30", a=101)
    project.dbt("run")
    assert weeks(project) == [("2026-04-27", 103), ("2026-05-04", 28)]
    assert running(project) == [
        ("2026-04-30", 101), ("2026-05-01", 103), ("2026-05-04", 107), ("2026-05-06", 14), ("2026-05-07", 28),
    ]  # fmt: skip
    assert rebuilt(project, "weeks") == ["2026-04-27"]
    # two sessions after it: the weekend and the holiday are none
    assert rebuilt(project, "running") == ["2026-04-30", "2026-05-01", "2026-05-04"]


def test_a_kill_between_the_rows_and_the_progress_leaves_the_period_to_the_next_build(
    project: SmallProject,
) -> None:
    before = weeks(project)
    project.collect(7, "2026-05-01", a=202)
    with project.stalled("weeks") as build:
        project.kill(build)
    assert weeks(project) == before
    project.dbt("run")
    assert weeks(project) == [("2026-04-27", 303), ("2026-05-04", 28)]
    whole = weeks(project), running(project)
    project.dbt("run", "--full-refresh")
    assert (weeks(project), running(project)) == whole


def test_a_period_that_nobody_knows_is_named(project: SmallProject) -> None:
    model = project.folder / "models" / "weeks.sql"
    model.write_text(model.read_text().replace("'period': 'week'", "'period': 'quarter'"))
    project.collect(8, "2026-05-08", a=1)
    with pytest.raises(AssertionError, match=r"meta\.period is week or month, not 'quarter'"):
        project.dbt("run", "--select", "+weeks")
