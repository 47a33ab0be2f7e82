"""Fixtures of the benchmarks: a durable server as users have it, and the report that the run writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.embedded import EmbeddedServer
from tests.bench.report import Report
from tests.conftest import ROOT

REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report()


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    """What the run has found so far."""
    return request.config.stash[REPORT]


@pytest.fixture(scope="session")
def postgres_server(scratch: Path) -> Iterator[dict[str, str]]:
    """The embedded server with the settings that users get: what is written is on disk."""
    embedded = EmbeddedServer(scratch / "server")
    embedded.start()
    try:
        yield embedded.environment("postgres")
    finally:
        embedded.stop()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write `build/bench.md`; a limit that is missed fails the run."""
    report = session.config.stash[REPORT]
    if not report.findings:
        return
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.md").write_text(report.markdown(), encoding="utf-8")
    if report.missed and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[REPORT]
    if report.findings:
        terminalreporter.section("build/bench.md")
        terminalreporter.write(report.markdown())
