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
from tests.conftest import ROOT, Database
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
def new_database(new_database: Callable[..., Database]) -> Callable[..., Database]:
    """Databases as the target needs them."""

    def make() -> Database:
        database = new_database()
        if ON_TIMESCALE:
            database.execute("create extension if not exists timescaledb")
        return database

    return make


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
