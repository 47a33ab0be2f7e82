"""Builds and moves beside the server's own jobs, which take locks in an order of theirs: neither side may end the other.

A job that compresses a chunk keeps others from writing into it, and in the end waits until nobody reads it either. Here a
session takes its locks at the moments that matter.
"""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Database
from tests.timescale.server import named_timescale_database
from tests.warehouse import storage_project
from tests.warehouse.small_project import SmallProject

DAY = "2026-01-05"
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with named_timescale_database() as database:
        database.execute("create extension if not exists timescaledb")
        done = database.loaders("init")
        assert done.returncode == 0, done.stderr
        yield database


@pytest.fixture(scope="module")
def project(database: Database, tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    project = storage_project.write(tmp_path_factory.mktemp("jobs") / "project", database)
    project.collect(1, DAY, a=1, b=2)
    project.dbt("run", "--target", "timescale")
    return project


def beside_a_job(
    project: SmallProject, work: Callable[[], object], *locks: tuple[str, str]
) -> None:
    """Do work beside a session that has taken the first lock, and takes the next ones as soon as the work waits for it."""
    ended: list[object] = []
    thread = threading.Thread(target=lambda: ended.append(work()))
    with project.database.connect() as job:
        first, *others = locks
        job.execute("begin; lock table only {} in {} mode".format(*first))
        thread.start()
        deadline = time.monotonic() + 120
        while not ended and project.database.rows(WAITING) == [(0,)]:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not ended, "the work did not wait"
        for name, mode in others:
            job.execute(f"lock table only {name} in {mode} mode")
        job.execute("commit")
    thread.join(timeout=120)
    assert ended


def chunk_of(project: SmallProject, table: str) -> str:
    """The oldest chunk of a table."""
    ((name,),) = project.database.rows(
        f"select min(chunk::text) from show_chunks('marts.{table}') as chunk"
    )
    return str(name)


@pytest.mark.parametrize("table", ["ticks", "flows"])
def test_days_are_exchanged_beside_a_job_that_compresses_their_chunk(
    project: SmallProject, table: str
) -> None:
    project.collect(2 if table == "ticks" else 3, DAY, a=5, b=6)
    chunk = chunk_of(project, table)
    beside_a_job(
        project,
        lambda: project.dbt("run", "--select", table, "--target", "timescale"),
        (chunk, "exclusive"),
        (chunk, "access exclusive"),
    )
    assert project.database.rows(f"select stock_code, value from marts.{table} order by 1") == [
        ("a", 5), ("b", 6),
    ]  # fmt: skip


def test_a_table_moves_away_beside_a_job_that_has_just_begun(project: SmallProject) -> None:
    chunk = chunk_of(project, "ticks")
    beside_a_job(
        project,
        lambda: project.dbt("run-operation", "move_time_series", "--target", "postgres"),
        ("marts.ticks", "access share"),
        (chunk, "exclusive"),
    )
    assert project.database.rows("select stock_code, value from marts.ticks order by 1") == [
        ("a", 5), ("b", 6),
    ]  # fmt: skip
