"""Minute bars of the full market, day after day: into raw, and from raw into the mart, each beside its baseline.

Eight days go in one after another; before each, the same rows are copied as CSV, and after each load the same rows are
inserted by hand. So every ratio is of the same moments, and the last days show what history costs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, pairwise
from pathlib import Path
from statistics import mean, median

import adbc_driver_postgresql.dbapi
import orjson
import psycopg
import pyarrow as pa
import pytest
from pydantic import SecretStr

from loaders import calendar, catalogue
from loaders.batches import collect_feed
from loaders.collect import PARTS_AT_ONCE
from loaders.config import RunSettings
from loaders.database import connect, read_warehouse
from loaders.destination import connection_string
from loaders.feeds import Cell, Status
from loaders.kis import api
from loaders.kis.client import KisSettings
from tests.bench import report as limits
from tests.bench.builds import build
from tests.bench.minute_market import COLUMNS, ROWS, Pages, PagesCollection, csv_of, market
from tests.bench.report import Report, stop_watch
from tests.conftest import Database

BASELINES = Path(__file__).parent / "baselines"
FEED = next(feed for feed in api.SERVICE.feeds if feed.name == "minutes")
RAW = "raw.kis__inquire_time_dailychartprice"
# every model on the way, whatever it is called; what these take on a build without a new day is taken off
TO_THE_MART = (
    "run",
    "--select",
    "+ohlcv_minute",
    "--exclude",
    "config.materialized:view",
    "trading_calendar",
)
DAYS = 8
# before the exchange traded after hours: a day is one session
FIRST_DAY = date(2026, 3, 3)


@dataclass
class Seconds:
    """What every day took, by kind of work."""

    copy: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    by_hand: list[float] = field(default_factory=list)
    models: list[float] = field(default_factory=list)

    def at(self, name: str, *days: int) -> float:
        """Mean seconds of some days, numbered from 1."""
        return mean(getattr(self, name)[day - 1] for day in days)


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database], report: Report) -> Iterator[Database]:
    database = new_database()
    with pytest.MonkeyPatch.context() as patch, database.connect() as connection:
        for name, value in database.environment.items():
            patch.setenv(name, value)
        report.add_server(connection)
        connection.execute(
            f"create schema bench; create table bench.raw_rows (like {RAW} including defaults);"
            f" create table bench.bare_rows (like {RAW} including all)"
        )
        # what a day needs beside itself, and the tables of a warehouse that has been built before
        build(
            database,
            "build",
            "--select",
            "+ohlcv_minute",
            "--exclude-resource-type",
            "test",
            "unit_test",
        )
        # the same table: key, index, checks, the partitions by month, and the days before
        connection.execute(
            "create table bench.ohlcv_minute (like marts.ohlcv_minute including all) partition by range (time)"
        )
        for first, end in pairwise(f"2026-{month:02d}-01" for month in range(3, 6)):
            connection.execute(
                f"create table bench.ohlcv_minute_{first[5:7]} partition of bench.ohlcv_minute"
                f" for values from ('{first} 00:00+09') to ('{end} 00:00+09')"
            )
        yield database


def copy(connection: psycopg.Connection, rows: bytes) -> float:
    """One COPY of a day into a table without index."""
    connection.execute("truncate bench.raw_rows")
    with (
        stop_watch() as watch,
        connection.cursor() as cursor,
        cursor.copy(
            "copy bench.raw_rows (stck_bsop_date, stck_cntg_hour, stck_prpr, stck_oprc, stck_hgpr, stck_lwpr, cntg_vol,"
            " acml_tr_pbmn, _extra, _fetch_id, _row_number, _dlt_load_id) from stdin (format csv)"
        ) as stream,
    ):
        stream.write(rows)
    assert connection.execute("select count(*) from bench.raw_rows").fetchone() == (ROWS,)
    return watch[0]


def load(connection: psycopg.Connection, day: date, pages: Pages) -> float:
    """The pages of a day through the loaders into raw and ledger."""
    source = next(source for source in catalogue.SOURCES if source.name == "kis")
    settings = KisSettings(
        base_url="http://pages", requests_per_minute=0, token_interval_seconds=0,
        app_key=SecretStr("key"), app_secret=SecretStr("secret"),
    )  # fmt: skip
    collection = PagesCollection(
        source, api.SERVICE, settings, RunSettings(), connection, read_warehouse(connection)
    )
    collection.pages = pages
    cells = [Cell(day, code) for code in pages.pages]
    with stop_watch() as watch:
        result = collect_feed(collection, FEED, cells)
    collection.close()
    assert dict(result.cells) == {Status.SUCCESS: len(cells)}
    return watch[0]


def bare(connection: psycopg.Connection, pages: Pages) -> float:
    """What no way from these pages to that table can do without, one step after the other: JSON, Arrow, ADBC."""
    connection.execute("truncate bench.bare_rows")
    bodies = [body for of_a_name in pages.pages.values() for _, body in of_a_name]
    struct = pa.struct([(name, pa.string()) for name in COLUMNS])
    with stop_watch() as watch:
        # as many pages at once as a batch of the loaders puts into Arrow
        values = pa.concat_arrays(
            pa.array(
                list(chain.from_iterable(orjson.loads(body)["output2"] for body in some)), struct
            )
            for some in (
                bodies[n : n + PARTS_AT_ONCE] for n in range(0, len(bodies), PARTS_AT_ONCE)
            )
        )
        lineage = {
            "_fetch_id": pa.repeat(pa.scalar(1, pa.int64()), len(values)),
            "_row_number": pa.array(range(len(values)), pa.int32()),
            "_dlt_load_id": pa.repeat(pa.scalar("1790000000.0000000"), len(values)),
        }
        table = pa.table(dict(zip(COLUMNS, values.flatten(), strict=True)) | lineage)
        with (
            adbc_driver_postgresql.dbapi.connect(connection_string()) as adbc,
            adbc.cursor() as cursor,
        ):
            cursor.adbc_ingest("bare_rows", table, mode="append", db_schema_name="bench")
            adbc.commit()
    assert connection.execute("select count(*) from bench.bare_rows").fetchone() == (ROWS,)
    return watch[0]


def insert(connection: psycopg.Connection, day: date) -> float:
    """The rows of a day by hand into a table like the mart, which holds the days before it too."""
    statement = (BASELINES / "minutes_by_hand.psql").read_text(encoding="utf-8")
    answers = connection.execute(
        "select min(fetch_id), max(fetch_id) from raw.fetches where request ->> 'FID_INPUT_DATE_1' = %s",
        (f"{day:%Y%m%d}",),
    ).fetchone()
    assert answers is not None
    with stop_watch() as watch:
        written = connection.execute(
            statement, dict(zip(("first", "last"), answers, strict=True))
        ).rowcount
    assert written == ROWS
    return watch[0]


def checksum(connection: psycopg.Connection, table: str, day: date) -> object:
    """A number that two tables share when they hold the same rows of a day."""
    return connection.execute(
        f"select count(*), sum(hash_record_extended(bars.*, 0)::numeric) from {table} as bars"
        " where (time at time zone 'Asia/Seoul')::date = %s",
        (day,),
    ).fetchone()


@pytest.fixture(scope="module")
def seconds(database: Database) -> Seconds:
    """Seconds of eight days, one after another."""
    took = Seconds()
    idle = min(build(database, *TO_THE_MART).models_seconds for _ in range(2))
    with connect() as connection:
        connection.execute(
            "set time zone 'Asia/Seoul'"
        )  # of the statement by hand, whatever the server's is
        for number, day in enumerate(calendar.sessions(FIRST_DAY, date(2026, 4, 30))[:DAYS]):
            bars = market(day)
            rows, pages = csv_of(day, bars), Pages.of(day, bars)
            connection.execute("checkpoint")
            took.copy.append(copy(connection, rows))
            took.bare.append(bare(connection, pages))
            took.load.append(load(connection, day, pages))
            # alternately before and after, so that neither always finds the rows warm
            if number % 2:
                took.by_hand.append(insert(connection, day))
            took.models.append(build(database, *TO_THE_MART).models_seconds - idle)
            if number % 2 == 0:
                took.by_hand.append(insert(connection, day))
            assert checksum(connection, "marts.ohlcv_minute", day) == checksum(
                connection, "bench.ohlcv_minute", day
            )
    return took


def test_load(seconds: Seconds, report: Report) -> None:
    report.add(limits.LOAD, median(seconds.load), median(seconds.copy))
    report.add(limits.LOAD_FLOOR, median(seconds.bare), median(seconds.copy))


def test_mart(seconds: Seconds, report: Report) -> None:
    report.add(limits.MINUTES, median(seconds.models), median(seconds.by_hand))


def test_a_day_costs_the_same_however_many_lie_before_it(seconds: Seconds, report: Report) -> None:
    for limit, name in ((limits.LOAD_DAYS, "load"), (limits.BUILD_DAYS, "models")):
        days = ", ".join(f"{seconds.at(name, day):.1f} s" for day in (1, 2, 4, 8))
        report.add(
            limit, seconds.at(name, 7, 8), seconds.at(name, 1, 2),
            note=f"{limit.work.split(' of ')[0]}: the 1st, 2nd, 4th, 8th day took {days}",
        )  # fmt: skip
