"""One market-year of daily bars: from its file into every mart, the universe on it, the snapshots of its dates."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy

from loaders import calendar
from tests.bench import report as limits
from tests.bench.builds import Build, build
from tests.bench.daily_market import put_into_raw, write_file
from tests.bench.report import Report, scaled, stop_watch
from tests.conftest import Database

NAMES = scaled(2_860)
YEAR = (date(2025, 1, 2), date(2025, 12, 30))
REPLAYED = 120


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database], report: Report) -> Database:
    database = new_database()
    with database.connect() as connection:
        report.add_server(connection)
    return database


@pytest.fixture(scope="module")
def days() -> list[date]:
    return calendar.sessions(*YEAR)


@pytest.fixture(scope="module")
def first_build(
    new_database: Callable[..., Database],
    database: Database,
    days: list[date],
    report: Report,
    tmp_path_factory: pytest.TempPathFactory,
) -> Build:
    """The year, by pandas into one table and by the warehouse into every mart."""
    folder = tmp_path_factory.mktemp("marcap")
    with database.connect() as connection:
        path = write_file(connection, folder, days, NAMES)
    without_data = new_database()
    # a clone in use has read its project before
    for some in (without_data, database):
        assert some.dbt("parse").returncode == 0
    by_pandas = _to_sql(database, path, len(days) * NAMES)
    with stop_watch() as watch:
        loaded = database.loaders(
            "load", "--source", "marcap", "--from", str(days[0]), "--to", str(days[-1]),
            MARCAP_BASE_URL=str(folder),
        )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    built = build(database, "build")
    assert database.rows("select count(*) from marts.ohlcv_daily") == [(len(days) * NAMES,)]
    report.add(
        limits.BACK_FILL, watch[0] + built.seconds, by_pandas,
        note=f"back-fill: {len(days) * NAMES:,} rows, `make load` {watch[0]:.1f} s and `dbt build` with its tests"
        f" {built.seconds:.1f} s, {len(built.models)} models",
    )  # fmt: skip
    report.add(limits.BUILD_FLOOR, build(without_data, "build").seconds, by_pandas)
    return built


def _to_sql(database: Database, path: Path, rows: int) -> float:
    named = database.environment
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create(
            "postgresql+psycopg", named["PGUSER"], named["PGPASSWORD"], named["PGHOST"],
            int(named["PGPORT"]), named["PGDATABASE"],
        )
    )  # fmt: skip
    with stop_watch() as watch:
        pd.read_parquet(path).to_sql("daily_bars", engine, if_exists="replace", index=False)
    engine.dispose()
    assert database.rows("select count(*) from public.daily_bars") == [(rows,)]
    database.execute("drop table public.daily_bars")
    return watch[0]


def test_back_fill(first_build: Build) -> None:
    assert first_build.models["stock_universe_daily"]


def test_universe(database: Database, days: list[date], first_build: Build, report: Report) -> None:
    day = calendar.next_session(days[-1])
    with database.connect() as connection:
        put_into_raw(connection, [day], NAMES)
    whole = first_build.models["stock_universe_daily"]
    new_day = build(database, "build", "--exclude-resource-type", "test").models[
        "stock_universe_daily"
    ]
    report.add(
        limits.UNIVERSE, new_day, whole / len(days),
        note=f"`stock_universe_daily`: {len(days) * NAMES:,} rows of a year in {whole:.1f} s, a new day in {new_day:.2f} s",
    )  # fmt: skip


def test_snapshots(
    database: Database, days: list[date], first_build: Build, report: Report
) -> None:
    assert first_build
    seconds = [
        _replay(database, dates[0], dates[-1]) / REPLAYED
        for dates in (days[:REPLAYED], days[REPLAYED : 2 * REPLAYED])
    ]
    taken = database.rows("select count(distinct taken_on) from snapshots.snap_stocks")
    report.add(
        limits.SNAPSHOTS, seconds[1], seconds[0],
        note=f"snapshots: {2 * REPLAYED} business dates of {NAMES:,} names in {sum(seconds) * REPLAYED:.1f} s, two runs of dbt",
    )  # fmt: skip
    assert taken


def _replay(database: Database, first: date, last: date) -> float:
    asked = f"{{replay_snapshots: {{from: '{first}', to: '{last}', rebuild: '', accept_incomplete: ''}}}}"
    return build(
        database, "build", "--select", "+snapshot_dates_waiting", "--exclude-resource-type", "test", "--vars", asked
    ).seconds  # fmt: skip
