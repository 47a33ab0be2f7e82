"""What `make bench` found: ratios with their limits, written as a Markdown table to `build/bench.md`."""

import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import psycopg

# a part of the full size, to try the benchmarks themselves; its ratios say nothing
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
PACKAGES = ("dbt-core", "dbt-postgres", "dlt", "adbc-driver-postgresql", "psycopg", "pyarrow")


@dataclass(frozen=True)
class Limit:
    """What a piece of work is held to: at most, or at least, so many times what it is compared with.

    Attributes:
        work: the piece of work.
        compared_with: the baseline of the same run.
        must: the ratio that is required; None for a figure that is only shown.
        goal: the ratio that is wanted.
        is_gain: the ratio says how much less the work takes (at least), not how much more (at most).
        must_be_more: for a gain of which only "more than" is required.
    """

    work: str
    compared_with: str
    must: float | None = None
    goal: float | None = None
    is_gain: bool = False
    must_be_more: bool = False

    def text(self, ratio: float | None) -> str:
        """A limit as the table shows it."""
        if ratio is None:
            return ""
        sign = ("≥", ">")[self.must_be_more and ratio == self.must] if self.is_gain else "≤"
        return f"{sign} {ratio:g}×"

    def holds(self, ratio: float, limit: float) -> bool:
        """Whether a ratio keeps a limit."""
        if not self.is_gain:
            return ratio <= limit
        return ratio > limit if self.must_be_more and limit == self.must else ratio >= limit

    def verdict(self, ratio: float) -> str:
        """One word on a ratio."""
        if self.must is None:
            return "shown"
        if not self.holds(ratio, self.must):
            return "MISSED"
        return "goal" if self.goal is None or self.holds(ratio, self.goal) else "must"


# Rows of the budget, in its order.
LOAD = Limit(
    "load 500,000 minute rows (vendor pages → raw, ledger and statistics too)",
    "one COPY of the same rows as CSV, without index", 5, 3,
)  # fmt: skip
MINUTES = Limit(
    "raw → `ohlcv_minute` for that day",
    "`INSERT … SELECT` by hand into a table like it that holds the same days: casts and the difference of running totals",
    1.5, 1.1,
)  # fmt: skip
NEW_DAY = Limit(
    "`dbt build` for one new day with 10 years of history", "the same with 1 year", 1.3, 1.1
)
ONE_STOCK = Limit(
    "one stock's ten years of daily bars from `ohlcv_daily`",
    "the same rows by primary key from a bare table", 1.3, 1.1,
)  # fmt: skip
ON_DISK = Limit("minute bars on disk, timescale", "plain table with its index", 7, 12, is_gain=True)
BACK_FILL = Limit(
    "back-fill of one market-year of daily bars into all marts",
    "pandas `read_parquet` + `to_sql` of the same file into one table",
    1, 3, is_gain=True, must_be_more=True,
)  # fmt: skip
BUDGET = (LOAD, MINUTES, NEW_DAY, ONE_STOCK, ON_DISK, BACK_FILL)

# What else is held.
LOAD_FLOOR = Limit(
    "read the JSON of the same pages, make Arrow of it, copy that by ADBC into the raw table: nothing else",
    "the same COPY",
)  # fmt: skip
LOAD_DAYS = Limit("load of the eighth day of minutes", "of the first", 1.3, 1.1)
BUILD_DAYS = Limit("raw → `ohlcv_minute` of the eighth day of minutes", "of the first", 1.3, 1.1)
SNAPSHOTS = Limit(
    "replay of snapshots, a business date when 240 are taken", "a business date at the start", 1.3, 1.1
)  # fmt: skip
BUILD_FLOOR = Limit("`dbt build` of a warehouse without data", "the same `to_sql`")
UNIVERSE = Limit("`stock_universe_daily`, a new day", "a market-year of it, a session")


@dataclass(frozen=True)
class Finding:
    """A ratio that was measured, with what stands behind it."""

    limit: Limit
    subject: float
    baseline: float
    unit: str = "s"
    note: str = ""

    @property
    def ratio(self) -> float:
        """Work to baseline, or the reverse for a gain."""
        return self.baseline / self.subject if self.limit.is_gain else self.subject / self.baseline

    @property
    def verdict(self) -> str:
        """How the ratio stands to its limit."""
        return self.limit.verdict(self.ratio)


def scaled(size: int) -> int:
    """A size as this run measures it."""
    return max(1, round(size * SCALE))


@dataclass
class Report:
    """Findings of one run."""

    findings: list[Finding] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)

    def add(
        self, limit: Limit, subject: float, baseline: float, *, unit: str = "s", note: str = ""
    ) -> Finding:
        """Record a ratio."""
        finding = Finding(limit, subject, baseline, unit, note)
        self.findings.append(finding)
        return finding

    def add_server(self, connection: psycopg.Connection) -> None:
        """Record what a server is."""
        row = connection.execute(
            "select current_setting('server_version'), (select extversion from pg_extension where extname = 'timescaledb'),"
            " current_setting('shared_buffers'), current_setting('work_mem'), current_setting('fsync')"
        ).fetchone()
        assert row is not None
        extension = f" with TimescaleDB {row[1]}" if row[1] else ""
        told = f"PostgreSQL {row[0].split()[0]}{extension} (shared_buffers {row[2]}, work_mem {row[3]}, fsync {row[4]})"
        if told not in self.servers:
            self.servers.append(told)

    @property
    def missed(self) -> list[Finding]:
        """Findings that miss what they must."""
        return [finding for finding in self.findings if finding.verdict == "MISSED"]

    def markdown(self) -> str:
        """The report as a page."""
        ordered = sorted(
            self.findings,
            key=lambda finding: (
                BUDGET.index(finding.limit) if finding.limit in BUDGET else len(BUDGET)
            ),
        )
        lines = [
            f"Measured on {datetime.now(ZoneInfo('Asia/Seoul')):%Y-%m-%d %H:%M} KST. {machine()}",
            f"{'; '.join(self.servers)}. "
            + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
            + f", Python {platform.python_version()}.",
            "",
            "| Work | Compared with | Measured | Ratio | Must | Goal | Verdict |",
            "|---|---|---|---|---|---|---|",
            *map(_table_row, ordered),
            "",
            *(f"- {finding.note}" for finding in ordered if finding.note),
            *(
                f"- tried at {SCALE:g} of the full size: the ratios say nothing"
                for _ in range(SCALE != 1)
            ),
            *(
                f"- not measured in this run: {limit.work}"
                for limit in BUDGET
                if limit not in {finding.limit for finding in self.findings}
            ),
        ]
        return "\n".join(lines) + "\n"


def _table_row(finding: Finding) -> str:
    limit = finding.limit
    measured = f"{finding.subject:.3g} : {finding.baseline:.3g} {finding.unit}"
    cells = (
        limit.work, limit.compared_with, measured, f"{finding.ratio:.2f}×",
        limit.text(limit.must), limit.text(limit.goal), finding.verdict,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """Processor, cores, memory, load: what figures depend on."""
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
        processor = found[1] if found else platform.processor()
    except OSError:
        processor = platform.processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{processor or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB memory, {platform.system()};"
        f" load of the machine at the end {os.getloadavg()[0]:.1f}."
    )


@contextmanager
def stop_watch() -> Iterator[list[float]]:
    """Seconds of a block, in a list that the block's end fills."""
    seconds: list[float] = []
    start = perf_counter()
    yield seconds
    seconds.append(perf_counter() - start)


def interleaved(rounds: int, *runs: Callable[[], float]) -> list[float]:
    """Take turns, so that what else the machine does falls on all alike; the least seconds of each."""
    took: list[list[float]] = [[] for _ in runs]
    for number in range(rounds):
        # whoever goes second finds warm caches: they change places
        order: Sequence[int] = range(len(runs)) if number % 2 == 0 else range(len(runs))[::-1]
        for index in order:
            took[index].append(runs[index]())
    return [min(seconds) for seconds in took]
