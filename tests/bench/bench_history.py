"""What history costs: a market-year of the universe, one more day of it, and 250 business dates of snapshots.

Each beside a plain copy of the same rows in the same run, since machines differ. `make bench` runs it; CI does not.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.conftest import ROOT, Database
from tests.warehouse.snapshot_project import SnapshotProject

NAMES = 2_800
SESSIONS = 250

# whole-market files of the exchange as the loaders would have written them: a close that wanders, a new listed-share
# count for one name in fifty a day
DAYS = f"""
    create table if not exists public.bench_days as
    select row_number() over (order by date) as n, date as day from marts.trading_calendar
    where is_session and date >= '2024-01-02' order by date limit {SESSIONS + 1}
"""
FILE_OF_DAYS = """
    insert into raw.fetches (fetch_id, source, endpoint, request, fetched_at, http_status, row_count, byte_count, payload_sha256)
    select n, 'krx', 'stk_bydd_trd', jsonb_build_object('basDd', to_char(day, 'YYYYMMDD')), day + time '23:59', 200, {names}, 0,
        md5(day::text)
    from public.bench_days where {condition};
    insert into raw.krx__stk_bydd_trd
    select to_char(day, 'YYYYMMDD'), lpad((s * 10)::text, 6, '0'), 'name ' || s, 'KOSPI', '', close::text, '0', '0.00',
        close::text, close::text, close::text, '100', (100 * close)::text, (close * shares)::text, shares::text, null, n, s, ''
    from public.bench_days
    cross join generate_series(1, {names}) as s
    cross join lateral (select 10000 as close, 1000000 + (n + s) / 50 as shares) as told
    where {condition};
    insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status, fetch_id, started_at, completed_at,
        published_at)
    select n, 'krx', 'ohlcv_daily', 'KOSPI', day, 'SUCCESS', n, day + time '23:59', day + time '23:59',
        (day + 1 + time '08:00') at time zone 'Asia/Seoul'
    from public.bench_days where {condition};
    analyze;
"""
COPY = "create table public.bench_copy as select * from marts.stock_universe_daily {condition}; drop table public.bench_copy"


def seconds_of(database: Database, model: str) -> float:
    """Seconds that a model took in the last build of a database."""
    folder = ROOT / "build" / "dbt" / database.environment["PGDATABASE"] / "target"
    results = json.loads((folder / "run_results.json").read_text(encoding="utf-8"))["results"]
    (found,) = [r["execution_time"] for r in results if r["unique_id"].endswith(f".{model}")]
    return float(found)


def seconds(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


@pytest.fixture(scope="module")
def market_year(new_database: Callable[..., Database]) -> Database:
    """A database with a year of the whole market in raw, and one more day that the ledger does not know yet."""
    database = new_database()
    built = database.dbt("build", "--select", "+trading_calendar", "--exclude-resource-type", "test")
    assert built.returncode == 0, built.stdout
    database.execute(DAYS)
    database.execute(FILE_OF_DAYS.format(names=NAMES, condition=f"n <= {SESSIONS}"))
    return database


def test_universe_of_a_market_year(benchmark: BenchmarkFixture, market_year: Database) -> None:
    built = market_year.dbt("run")
    assert built.returncode == 0, built.stdout
    whole = seconds_of(market_year, "stock_universe_daily")
    assert market_year.rows("select count(*) from marts.stock_universe_daily") == [(NAMES * SESSIONS,)]
    copied = seconds(lambda: market_year.execute(COPY.format(condition="")))
    benchmark.extra_info |= {"seconds": round(whole, 2), "ratio to a copy of the rows": round(whole / copied, 1)}
    benchmark.pedantic(lambda: None, rounds=1)


def test_universe_of_a_new_day(benchmark: BenchmarkFixture, market_year: Database) -> None:
    market_year.execute(FILE_OF_DAYS.format(names=NAMES, condition=f"n = {SESSIONS + 1}"))
    built = market_year.dbt("run")
    assert built.returncode == 0, built.stdout
    day = seconds_of(market_year, "stock_universe_daily")
    assert market_year.rows("select count(*) from marts.stock_universe_daily") == [
        (NAMES * (SESSIONS + 1),)
    ]
    benchmark.extra_info |= {"seconds": round(day, 2)}
    benchmark.pedantic(lambda: None, rounds=1)
