"""Days that a gate holds: each table behind it makes them again when that changes, and not before.

The tests of this file are one story and run in its order. The scope of a cell is its source.
"""

from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.warehouse.small_project import SmallProject

SWAPPED = "{{ config(materialized='incremental', incremental_strategy='swap_days', meta=META) }}"
MODELS = {
    "trading_calendar": "{{ config(materialized='table') }} select date '2026-05-04' as date, true as is_session",
    "gated": SWAPPED.replace(
        "META", "{'day_column': 'trade_date', 'datasets': ['bars', 'sums'], 'gates': 'bars'}"
    )
    + """
        select
            time as trade_date, scope as source, value < limits.lowest as is_held,
            bool_and(value < limits.lowest) over (partition by time) as is_day_held
        from {{ ref('bars') }} cross join public.limits
        where true {{ and_in_days_to_rebuild('time') }}
    """,
    "chosen": """
        {{ config(materialized='view') }}
        select bars.* from {{ ref('bars') }} as bars
        left join {{ ref('gated') }} as gated on bars.time = gated.trade_date and bars.scope = gated.source
        where not gated.is_held
    """,
    "published": SWAPPED.replace(
        "META", "{'day_column': 'time', 'datasets': ['bars'], 'held_by': 'bars'}"
    )
    + """
        select time, sum(value)::integer as value from {{ ref('chosen') }}
        where true {{ and_in_days_to_rebuild('time') }} group by time
    """,
    "weeks": SWAPPED.replace(
        "META", "{'day_column': 'week', 'datasets': ['bars'], 'period': 'week'}"
    )
    + """
        select date_trunc('week', time::timestamp)::date as week, sum(value)::integer as value
        from {{ ref('published') }} where true {{ and_in_periods_to_rebuild('time') }} group by 1
    """,
}
FRIDAY, MONDAY = "2026-05-08", "2026-05-11"


@pytest.fixture(scope="module")
def project(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> SmallProject:
    project = SmallProject.write(tmp_path_factory.mktemp("held") / "project", new_database())
    for name, query in MODELS.items():
        (project.folder / "models" / f"{name}.sql").write_text(query, encoding="utf-8")
    project.database.execute("create table public.limits as select 10 as lowest")
    return project


def rows(project: SmallProject) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What is published, by day and by week."""
    return (
        project.database.rows("select time::text, value from marts.published order by 1"),
        project.database.rows("select week::text, value from marts.weeks order by 1"),
    )


def rebuilt(project: SmallProject) -> dict[object, object]:
    """Days that the newest build of each table made again."""
    return dict(
        project.database.rows(
            "select split_part(model, '.', 3), rebuilt_days::text[] from ops.build_progress"
            " where split_part(model, '.', 3) in ('gated', 'published', 'weeks')"
        )  # type: ignore[arg-type]
    )


def test_a_source_that_is_held_costs_its_day_once(project: SmallProject) -> None:
    project.collect(1, FRIDAY, a=20, b=30)
    project.collect(2, MONDAY, a=20, b=30)
    project.dbt("run")
    assert rows(project) == (
        [(FRIDAY, 50), (MONDAY, 50)],
        [("2026-05-04", 50), (MONDAY, 50)],
    )
    project.collect(3, MONDAY, a=5, b=30)
    project.dbt("run")
    assert rows(project) == (
        [(FRIDAY, 50), (MONDAY, 30)],
        [("2026-05-04", 50), (MONDAY, 30)],
    )
    # the gate looks again, in case that what it measures by has changed; the tables behind it have nothing to do
    project.dbt("run")
    assert rebuilt(project) == {"gated": [MONDAY], "published": [], "weeks": []}


def test_a_day_that_is_held_stays_as_it_was(project: SmallProject) -> None:
    project.collect(4, MONDAY, a=5, b=6)
    project.dbt("run")
    assert rows(project)[0] == [(FRIDAY, 50), (MONDAY, 30)]
    project.dbt("run")
    assert rebuilt(project) == {"gated": [MONDAY], "published": [], "weeks": []}
    assert rows(project) == (
        [(FRIDAY, 50), (MONDAY, 30)],
        [("2026-05-04", 50), (MONDAY, 30)],
    )


def test_a_release_reaches_a_table_when_its_parent_has_taken_it_in(project: SmallProject) -> None:
    project.database.execute("update public.limits set lowest = 6")
    project.dbt("run", "--select", "gated", "weeks")
    assert rebuilt(project) == {"gated": [MONDAY], "published": [], "weeks": []}
    project.dbt("run")
    assert rows(project) == (
        [(FRIDAY, 50), (MONDAY, 6)],
        [("2026-05-04", 50), (MONDAY, 6)],
    )
    project.database.execute("update public.limits set lowest = 0")
    project.dbt("run", "--select", "gated", "published")
    project.dbt("run", "--select", "weeks")
    assert rows(project) == (
        [(FRIDAY, 50), (MONDAY, 11)],
        [("2026-05-04", 50), (MONDAY, 11)],
    )
    project.dbt("run")
    assert rebuilt(project) == {"gated": [], "published": [], "weeks": []}


def test_a_day_whose_own_rows_something_else_refutes_is_published_no_longer(
    project: SmallProject,
) -> None:
    project.database.execute(
        "update public.limits set lowest = 100;"
        " insert into raw.fetch_cells"
        " (attempt_id, source, dataset, scope, collection_date, status, started_at, completed_at)"
        f" values (5, 'test', 'sums', 'a', '{MONDAY}', 'SUCCESS', now(), now())"
    )
    project.dbt("run")
    assert rows(project) == ([(FRIDAY, 50)], [("2026-05-04", 50)])
    # the first good answer stands, whatever comes after it
    project.collect(6, MONDAY, a=200, b=300)
    project.dbt("run")
    project.collect(7, MONDAY, a=1, b=2)
    project.dbt("run")
    project.dbt("run")
    assert rows(project) == (
        [(FRIDAY, 50), (MONDAY, 500)],
        [("2026-05-04", 50), (MONDAY, 500)],
    )


def test_days_noted_by_an_older_version_are_looked_at_again_and_not_lost(
    project: SmallProject,
) -> None:
    project.database.execute(
        "alter table ops.build_progress drop column states, add column held_days date[];"
        f" update ops.build_progress set held_days = '{{{FRIDAY}, {MONDAY}}}' where model like '%.published'"
    )
    before = rows(project)
    project.dbt("run")
    assert rebuilt(project)["published"] == [FRIDAY]
    assert rows(project) == before
    project.dbt("run")
    assert rebuilt(project)["published"] == []
    assert rows(project) == before


# rows of scope `b` are judged apart from the others
PARTS = {
    "trading_calendar": MODELS["trading_calendar"],
    "gated": SWAPPED.replace(
        "META", "{'day_column': 'trade_date', 'datasets': ['bars'], 'gates': 'of_b'}"
    )
    + """
        select time as trade_date, scope as source, value < 10 as is_held, value < 10 as is_day_held
        from {{ ref('bars') }}
        where scope = 'b' {{ and_in_days_to_rebuild('time') }}
    """,
    "mixed": SWAPPED.replace(
        "META",
        "{'day_column': 'time', 'datasets': ['bars'], 'held_by': 'bars', 'part_held_by': {'of_b': 'is_b'}}",
    )
    + """
        select bars.time, bars.scope, bars.value from {{ ref('bars') }} as bars
        left join {{ ref('gated') }} as gated on bars.time = gated.trade_date and bars.scope = gated.source
        where not coalesce(gated.is_held, false) {{ and_in_days_to_rebuild('bars.time') }}
    """,
}


@pytest.fixture
def parts(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> SmallProject:
    project = SmallProject.write(tmp_path_factory.mktemp("parts") / "project", new_database())
    for name, query in PARTS.items():
        (project.folder / "models" / f"{name}.sql").write_text(query, encoding="utf-8")
    (project.folder / "macros" / "is_b.sql").write_text(
        "{% macro is_b() %}scope like 'b%'{% endmacro %}", encoding="utf-8"
    )
    return project


def test_a_part_that_is_held_stays_and_the_rest_of_its_day_moves_on(parts: SmallProject) -> None:
    parts.collect(1, MONDAY, a=20, b=30)
    parts.dbt("run")
    parts.collect(2, MONDAY, a=21, b=5, bb=7)
    parts.dbt("run")
    # nor does another row of the part come in beside those that stay
    assert parts.table("mixed") == [(MONDAY, "a", 21), (MONDAY, "b", 30)]
    parts.collect(3, MONDAY, a=22, b=6)
    parts.dbt("run")
    assert parts.table("mixed") == [(MONDAY, "a", 22), (MONDAY, "b", 30)]
    lost = parts.failing("run", "--full-refresh")
    assert f"a full refresh would lose what gates hold as it was last good: mixed {MONDAY}" in lost
    parts.collect(4, MONDAY, a=22, b=40, bb=50)
    parts.dbt("run")
    assert parts.table("mixed") == [(MONDAY, "a", 22), (MONDAY, "b", 40), (MONDAY, "bb", 50)]


def test_a_part_that_was_never_good_is_not_there(parts: SmallProject) -> None:
    parts.collect(1, MONDAY, a=20, b=5)
    parts.dbt("run")
    parts.collect(2, MONDAY, a=21, b=6)
    parts.dbt("run")
    assert parts.table("mixed") == [(MONDAY, "a", 21)]
