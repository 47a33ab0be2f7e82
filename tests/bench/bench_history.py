"""What history costs: one new day with ten years before it and with one; one stock's ten years from the mart."""

import os
import random
from collections.abc import Callable
from datetime import date

import psycopg
import pytest

from loaders import calendar
from tests.bench import report as limits
from tests.bench.builds import Build, build
from tests.bench.daily_market import put_into_raw, put_ownership_into_raw
from tests.bench.report import Report, interleaved, scaled, stop_watch
from tests.conftest import Database

NAMES = int(os.environ.get("BENCH_NAMES", scaled(300)))
LAST_DAY = date(2026, 5, 29)
FIRST_DAYS = {10: date(2016, 6, 1), 1: date(2025, 6, 2)}
ROUNDS = 3
STOCKS = min(100, NAMES)


@pytest.fixture(scope="module")
def databases(new_database: Callable[..., Database], report: Report) -> dict[int, Database]:
    """Built warehouses by the years that they hold."""
    made = {}
    for years, first_day in FIRST_DAYS.items():
        made[years] = new_database()
        with made[years].connect() as connection:
            report.add_server(connection)
            days = calendar.sessions(first_day, LAST_DAY)
            put_into_raw(connection, days, NAMES)
            put_ownership_into_raw(connection, days, NAMES)
        build(made[years], "build")
        # as the server does by itself in the night
        made[years].execute("vacuum analyze")
    return made


def test_a_new_day(databases: dict[int, Database], report: Report) -> None:
    days = iter(calendar.sessions(date(2026, 6, 1), date(2026, 6, 30)))
    builds: dict[int, list[Build]] = {years: [] for years in databases}
    for number in range(ROUNDS):
        day = next(days)
        for years, database in list(databases.items())[:: 1 if number % 2 else -1]:
            with database.connect() as connection:
                put_into_raw(connection, [day], NAMES)
                put_ownership_into_raw(connection, [day], NAMES)
            builds[years].append(build(database, "build"))
            for mart in ("ohlcv_daily", "foreign_ownership_daily"):
                assert database.rows(f"select count(*) from marts.{mart} where time = '{day}'") == [
                    (NAMES,)
                ], mart
    ten, one = (min(each.seconds for each in builds[years]) for years in (10, 1))
    models = [min(each.models_seconds for each in builds[years]) for years in (10, 1)]
    report.add(
        limits.NEW_DAY, ten, one,
        note=f"a new day: {NAMES} names, bars of all in one answer, what foreigners hold in one each; without dbt's start"
        f" and the tests {models[0]:.1f} s with 10 years, {models[1]:.1f} s with 1 ({models[0] / models[1]:.2f}×)",
    )  # fmt: skip


def test_one_stock(databases: dict[int, Database], report: Report) -> None:
    with databases[10].connect() as connection:
        connection.execute(
            "create schema bench; create table bench.ohlcv_daily as select * from marts.ohlcv_daily;"
            " alter table bench.ohlcv_daily add primary key (stock_code, time);"
        )
        connection.execute("vacuum analyze bench.ohlcv_daily")
        connection.execute("vacuum analyze marts.ohlcv_daily")
        codes = [
            f"9{number:05d}" for number in random.Random(1).sample(range(1, NAMES + 1), STOCKS)
        ]

        def read(table: str) -> Callable[[], float]:
            return lambda: _read_stocks(connection, table, codes)

        mart, bare = interleaved(11, read("marts.ohlcv_daily"), read("bench.ohlcv_daily"))
    report.add(
        limits.ONE_STOCK, 1000 * mart / STOCKS, 1000 * bare / STOCKS, unit="ms",
        note=f"one stock: {STOCKS} of {NAMES} names one after another, about 2,450 rows each, the best of 11 turns",
    )  # fmt: skip


def _read_stocks(connection: psycopg.Connection, table: str, codes: list[str]) -> float:
    with stop_watch() as watch:
        for code in codes:
            rows = connection.execute(
                f"select * from {table} where stock_code = %s order by time", (code,)
            ).fetchall()
            assert len(rows) > 2_400
    return watch[0]
