"""What CI asks of the benchmarks: they can be read, every row of the budget has one, and a verdict says what it should."""

import importlib
import inspect
from datetime import date
from pathlib import Path

import pytest

from tests.bench import minute_market, report
from tests.bench.report import Limit, Report

BENCHMARKS = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))


def test_every_row_of_the_budget_is_measured_by_a_benchmark() -> None:
    sources = "".join(
        inspect.getsource(importlib.import_module(f"tests.bench.{name}")) for name in BENCHMARKS
    )
    names = [name for name, value in vars(report).items() if isinstance(value, Limit)]
    assert len(names) > len(report.BUDGET)
    assert [name for name in names if f"limits.{name}" not in sources] == []


@pytest.mark.parametrize(
    ("limit", "subject", "baseline", "verdict"),
    [
        (report.LOAD, 2.9, 1, "goal"),
        (report.LOAD, 4.9, 1, "must"),
        (report.LOAD, 5.1, 1, "MISSED"),
        (report.ON_DISK, 1, 12.1, "goal"),
        (report.ON_DISK, 1, 6.9, "MISSED"),
        (report.BACK_FILL, 1, 1, "MISSED"),
        (report.BACK_FILL, 1, 1.1, "must"),
        (report.UNIVERSE, 1, 1, "shown"),
    ],
)
def test_a_verdict_is_of_the_ratio(
    limit: Limit, subject: float, baseline: float, verdict: str
) -> None:
    found = Report()
    assert found.add(limit, subject, baseline).verdict == verdict
    assert bool(found.missed) == (verdict == "MISSED")
    assert f"| {verdict} |" in found.markdown()


def test_the_invented_market_is_as_large_as_it_says_and_each_total_is_the_sum_of_its_values() -> (
    None
):
    counts = minute_market._bars_of_names()
    assert (sum(counts), len(counts)) == (minute_market.ROWS, minute_market.NAMES)
    assert max(counts) <= len(minute_market.LABELS)
    bars = minute_market._bars(date(2026, 3, 3), 1, 100)
    assert len({label for label, *_ in bars}) == 100
    before = 0
    for _, close, opened, high, low, volume, total in bars:
        assert int(low) <= min(int(opened), int(close)) <= max(int(opened), int(close)) <= int(high)
        assert int(total) - before == int(close) * int(volume)
        before = int(total)
