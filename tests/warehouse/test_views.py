"""Views that are built again under what stands on them."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Database
from tests.warehouse.small_project import SmallProject

VIEW = "{{ config(materialized='view') }} "
MANY = 40


@pytest.fixture
def project(new_database: Callable[..., Database], tmp_path: Path) -> SmallProject:
    return SmallProject.write(tmp_path / "project", new_database())


def write(project: SmallProject, name: str, query: str) -> None:
    (project.folder / "models" / f"{name}.sql").write_text(VIEW + query, encoding="utf-8")


def test_what_stands_on_a_view_outlives_its_next_build(project: SmallProject) -> None:
    project.dbt("run")
    project.database.execute("create view marts.of_an_analyst as select scope from marts.upper")
    write(project, "upper", "select *, 1 as added from {{ ref('lower') }}")
    project.dbt("run", "--select", "lower", "upper")
    assert project.database.rows(
        "select (select count(*) from marts.of_an_analyst), (select count(added) from marts.upper)"
    ) == [(0, 0)]


def test_what_stands_on_a_table_outlives_its_next_build(project: SmallProject) -> None:
    table = project.folder / "models" / "names.sql"
    config = "{{ config(materialized='table', indexes=[{'columns': ['scope'], 'unique': true}]) }} "
    table.write_text(config + "select 'a' as scope", encoding="utf-8")
    project.dbt("run", "--select", "names")
    project.database.execute("create view marts.of_an_analyst as select scope from marts.names")
    table.write_text(config + "select 'b' as scope union all select 'c'", encoding="utf-8")
    project.dbt("run", "--select", "names")
    rows = "select string_agg(scope, ',' order by scope) from marts.of_an_analyst"
    assert project.database.rows(rows) == [("b,c",)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        project.database.execute("insert into marts.names values ('b')")

    # other columns, or a full refresh: a new table in its place
    table.write_text(config + "select 'd' as scope, 1 as added", encoding="utf-8")
    project.dbt("run", "--select", "names")
    there = "select to_regclass('marts.of_an_analyst') is not null, (select count(added) from marts.names)"
    assert project.database.rows(there) == [(False, 1)]
    project.database.execute("create view marts.of_an_analyst as select scope from marts.names")
    project.dbt("run", "--select", "names", "--full-refresh")
    assert project.database.rows(there) == [(False, 1)]


def test_a_view_whose_columns_change_is_made_anew(project: SmallProject) -> None:
    project.dbt("run")
    write(project, "upper", "select scope as stock_code from {{ ref('lower') }}")
    project.dbt("run", "--select", "upper")
    columns = (
        "select attname from pg_attribute where attrelid = 'marts.upper'::regclass and attnum > 0"
    )
    assert project.database.rows(columns) == [("stock_code",)]
    # what was a table becomes a view
    project.database.execute("drop view marts.upper; create table marts.upper (a integer)")
    project.dbt("run", "--select", "upper")
    assert project.database.rows(columns) == [("stock_code",)]


def test_two_views_that_are_dropped_at_once_do_not_lock_each_other_out(
    project: SmallProject,
) -> None:
    for name in ("left", "right"):
        write(project, name, "select 1 as before")
    project.dbt("run", "--select", "left", "right")
    # the same views stand on both: PostgreSQL meets them oldest first where they stand on it at once, newest first one view on
    for number in range(MANY):
        project.database.execute(
            f"create view marts.v{number} as select before from marts.left;"
            f"create view marts.w{number} as select v.before from marts.v{number} as v, marts.right"
        )
    for name in ("left", "right"):
        write(project, name, "select 1 as behind")
    waiting = "select count(*) from pg_locks where not granted"
    with ThreadPoolExecutor() as pool, project.database.connect() as onlooker:
        # somebody has the one in the middle to himself, until both have come that far
        onlooker.execute("begin")
        onlooker.execute(f"comment on view marts.w{MANY // 2} is 'mine'")
        build = pool.submit(project.dbt, "run", "--select", "left", "right", "--threads", "2")
        deadline = time.monotonic() + 60
        while project.database.rows(waiting) != [(2,)]:
            assert not build.done(), "the build ended without being held up"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        onlooker.execute("rollback")
        build.result()
    left = "select count(*) from pg_class where relname ~ '^[vw][0-9]+$'"
    assert project.database.rows(left) == [(0,)]
