"""Builds and moves beside the server's own jobs, which take locks in an order of theirs: neither side may end the other.

A job that compresses a chunk keeps others from writing into it, and in the end waits until nobody reads it either. Here a
session takes its locks at the moments that matter.
"""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Database
from tests.timescale.server import initialise, named_timescale_database
from tests.warehouse import storage_project
from tests.warehouse.small_project import SmallProject

DAY = "2026-01-05"
WAITING = (
    "select count(*) > 0 from pg_stat_activity"
    " where datname = current_database() and application_name = 'dbt' and wait_event_type = 'Lock'"
)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with named_timescale_database() as database:
        initialise(database)
        yield database


@pytest.fixture(scope="module")
def project(database: Database, tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    project = storage_project.write(tmp_path_factory.mktemp("jobs") / "project", database)
    project.collect(1, DAY, a=1, b=2)
    project.dbt("run", "--target", "timescale")
    return project


def wait_for(database: Database, question: str) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + 120
    while database.rows(question) != [(True,)]:
        assert time.monotonic() < deadline, question
        time.sleep(0.1)


def beside_a_job(
    project: SmallProject, work: Callable[[], object], *locks: tuple[str, str]
) -> None:
    """Do work beside a session that has taken the first lock, and takes the others as soon as the work waits for it."""
    ended: list[object] = []
    thread = threading.Thread(target=lambda: ended.append(work()))
    with project.database.connect() as job:
        first, *others = locks
        job.execute("begin; lock table only {} in {} mode".format(*first))
        thread.start()
        wait_for(project.database, WAITING)
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


def test_the_end_of_a_build_waits_for_a_refresh_that_somebody_called(project: SmallProject) -> None:
    database = project.database
    listed = "_timescaledb_catalog.continuous_aggs_jobs_refresh_ranges"
    project.dbt("run", "--select", "flows", "--full-refresh", "--target", "timescale")
    if database.rows(f"select to_regclass('{listed}')::text") == [(None,)]:
        pytest.skip("before 2.27 the extension keeps no list of refreshes")
    ((name,),) = database.rows(
        "select chunk::text from timescaledb_information.continuous_aggregates cross join show_chunks("
        "format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)::regclass) as chunk"
        " where view_name = 'flows_weekly'"
    )
    # locked before it is looked at, as by a build: the job that compresses new chunks may be at work
    database.execute(
        f"begin; lock table only {chunk_of(project, 'flows')} in row exclusive mode;"
        " update marts.flows set value = value; commit"
    )
    refresh = "call refresh_continuous_aggregate('aggregates.flows_weekly', null, null)"
    called = threading.Thread(target=lambda: database.execute(refresh))
    ended: list[object] = []
    build = threading.Thread(
        target=lambda: ended.append(
            project.dbt("run", "--select", "newest_ticks", "--target", "timescale")
        )
    )
    with database.connect() as holder:
        holder.execute(f"begin; lock table {name} in share mode")
        called.start()
        wait_for(database, f"select count(*) > 0 from {listed}")
        build.start()
        wait_for(
            database,
            "select count(*) > 0 from pg_stat_activity where application_name = 'dbt' and query like '%$wait$%'",
        )
        holder.execute("commit")
    for thread in (called, build):
        thread.join(timeout=120)
    assert ended
    weeks = "select stock_code, net_buy_volume_weekly from aggregates.flows_weekly order by 1"
    assert database.rows(weeks) == database.rows(
        "select stock_code, net_buy_volume from marts.flows order by 1"
    )
