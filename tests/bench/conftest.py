"""Fixtures of the benchmarks: a durable server as users have it, and the report that the run writes.

With BENCH_TARGET=timescale everything is measured on the server that TIMESCALE_PGHOST and its like name.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.embedded import EmbeddedServer
from tests import programs
from tests.bench.report import Report
from tests.conftest import ROOT, Database, DatabaseMaker
from tests.timescale.server import named_timescale_server

ON_TIMESCALE = os.environ.get("BENCH_TARGET") == "timescale"
REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report()


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    """What the run has found so far."""
    return request.config.stash[REPORT]


@pytest.fixture(scope="module", autouse=True)
def whole_programs() -> Iterator[None]:
    """Programs start as users start them: that is what is timed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "run", programs.run_whole)
        yield


@pytest.fixture(scope="session")
def postgres_server(scratch: Path) -> Iterator[dict[str, str]]:
    """The embedded server with the settings that users get: what is written is on disk. Or a TimescaleDB."""
    if ON_TIMESCALE:
        yield named_timescale_server().environment | {"WAREHOUSE_TARGET": "timescale"}
        return
    embedded = EmbeddedServer(scratch / "server")
    embedded.start()
    try:
        yield embedded.environment("postgres")
    finally:
        embedded.stop()


@pytest.fixture(scope="module")
def new_database(
    maker: DatabaseMaker, new_database: Callable[..., Database]
) -> Iterator[Callable[..., Database]]:
    """Databases as the target needs them."""
    made: list[Database] = []

    def make() -> Database:
        if not ON_TIMESCALE:
            return new_database()
        # no copy of another one: TimescaleDB's scheduler visits every database, and a visited one cannot be copied
        database = maker.create()
        made.append(database)
        database.execute("create extension timescaledb")
        done = database.loaders("init")
        assert done.returncode == 0, done.stderr
        return database

    yield make
    for database in made:
        maker.drop(database)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write `build/bench.md`; a limit that is missed fails the run."""
    report = session.config.stash[REPORT]
    if not report.findings:
        return
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / f"bench{'-timescale' * ON_TIMESCALE}.md").write_text(
        report.markdown(), encoding="utf-8"
    )
    if report.missed and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[REPORT]
    if report.findings:
        terminalreporter.section("build/bench.md")
        terminalreporter.write(report.markdown())
