"""Minute bars on disk: the hypertable of the project, compressed as by its policy, and a plain table with key and index."""

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from loaders import calendar
from tests.bench import report as limits
from tests.bench.builds import build
from tests.bench.minute_market import market
from tests.bench.report import Report
from tests.conftest import Database
from tests.timescale.server import initialise, named_timescale_database

# two weeks: two chunks of the default length
DAYS = 10


@pytest.fixture(scope="module")
def database(report: Report) -> Iterator[Database]:
    with named_timescale_database() as database:
        initialise(database)
        build(
            database, "build", "--target", "timescale", "--select", "+ohlcv_minute",
            "--exclude-resource-type", "test", "unit_test",
        )  # fmt: skip
        with database.connect() as connection:
            report.add_server(connection)
        yield database


def write(connection: psycopg.Connection, day: date) -> None:
    """A day of the market into the plain table."""
    before: dict[str, int] = {}
    with connection.cursor().copy("copy bench.ohlcv_minute from stdin") as stream:
        for code, bars in market(day).items():
            before[code] = 0
            for label, close, opened, high, low, volume, total in bars:
                value, before[code] = int(total) - before[code], int(total)
                stream.write_row(
                    (
                        f"{day} {label[:2]}:{label[2:4]}+09", code, opened, high, low, close, volume, value,
                        "REGULAR", "KRX", "kis", False, f"{day} 20:30+09",
                    )
                )  # fmt: skip


def test_on_disk(database: Database, report: Report) -> None:
    with database.connect() as connection:
        connection.execute(
            "create schema bench; create table bench.ohlcv_minute (like marts.ohlcv_minute including all)"
        )
        for day in calendar.sessions(date(2026, 3, 5), date(2026, 4, 30))[:DAYS]:
            write(connection, day)
        connection.execute("vacuum (full, analyze) bench.ohlcv_minute")
        connection.execute("insert into marts.ohlcv_minute select * from bench.ohlcv_minute")
        connection.execute(
            "select compress_chunk(chunk) from show_chunks('marts.ohlcv_minute') as chunk"
        )
        row = connection.execute(
            "select count(*), pg_total_relation_size('bench.ohlcv_minute') / 1e6, hypertable_size('marts.ohlcv_minute') / 1e6"
            " from marts.ohlcv_minute"
        ).fetchone()
    assert row is not None
    rows, plain, compressed = row
    report.add(
        limits.ON_DISK, float(compressed), float(plain), unit="MB",
        note=f"on disk: {rows:,} minute bars of an invented market; prices that follow one another compress better",
    )  # fmt: skip
