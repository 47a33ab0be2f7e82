"""A session looked at while it goes on: provisional minutes that are over, and in the end what one look after it gives.

The tests of this file are one story and run in its order: ten o'clock, eleven, after the close, the final answer.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import psycopg
import pytest

from loaders import calendar
from sandbox.simulator.market import market
from sandbox.simulator.server import NOW, SEED, Simulator
from tests.conftest import ROOT, Database

DAY = date(2026, 10, 7)
ON_THE_DAY = ("--from", str(DAY), "--to", str(DAY))
LIVE = ("load", "--dataset", "ohlcv_minute", "--live")
MARTS = (
    "+ohlcv_minute", "int_minute_bars__unioned", "ohlcv_minute_5", "ohlcv_minute_60", "+minute_days_reconciled",
)  # fmt: skip
BROKERS = ("KIS_", "KRX_OPENAPI_", "KIWOOM_")


class Running:
    """A warehouse of the sample market whose clock, and that of its vendors, is moved."""

    def __init__(self, database: Database, simulator: Simulator) -> None:
        self.database = database
        self.simulator = simulator
        self.environment = simulator.only(*BROKERS).environment

    def clock(self, moment: str) -> None:
        self.simulator.set_clock(moment)
        self.database.execute(f"update ops.warehouse set sample_now = '{moment}'")

    def at(self, hours: str) -> None:
        self.clock(f"{DAY}T{hours}+09:00")

    def load(self, *arguments: str) -> str:
        run = self.database.loaders(*arguments, "--strict", **self.environment)
        assert run.returncode == 0, run.stderr
        return run.stderr

    def build(self) -> None:
        built = self.database.dbt("build", "--indirect-selection", "cautious", "--select", *MARTS)
        assert built.returncode == 0, built.stdout

    def statuses(self) -> dict[object, object]:
        """Cells of minutes by how they ended."""
        return dict(
            self.database.rows(
                "select status, count(distinct (scope, attempt_id)) from raw.fetch_cells"
                " where dataset = 'ohlcv_minute' and source = 'kis' group by 1"
            )  # type: ignore[arg-type]
        )

    def minutes(self) -> dict[object, list[tuple[object, ...]]]:
        """Bars of the mart by code."""
        found: dict[object, list[tuple[object, ...]]] = {}
        for code, *values in self.database.rows(
            "select stock_code, time, open_price, high_price, low_price, close_price, volume, trading_value, session"
            " from marts.ohlcv_minute order by stock_code, time"
        ):
            found.setdefault(code, []).append(tuple(values))
        return found


def told_before(end: datetime) -> dict[object, list[tuple[object, ...]]]:
    """Minutes of the market that are over by a moment, by code."""
    expected: dict[object, list[tuple[object, ...]]] = {}
    for stock in market(SEED).listed(DAY):
        bars = [(bar, "REGULAR") for bar in market(SEED).minutes(stock, DAY)]
        bars += [(bar, "AFTER_MARKET") for bar in market(SEED).after_market_minutes(stock, DAY)]
        rows: list[tuple[object, ...]] = [
            (bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.value, session)
            for bar, session in bars
            if bar.start + timedelta(minutes=1) <= end
        ]
        if rows:
            expected[stock.code] = rows
    return expected


def moment(hour: int, minute: int = 0) -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day, hour, minute, tzinfo=calendar.KST)


@pytest.fixture(scope="module")
def polled(new_database: Callable[..., Database], simulator: Simulator) -> Running:
    running = Running(new_database(sample=True), simulator)
    # a ledger as it was before there were looks at a session: the next load takes the word in
    running.database.execute(
        "alter table raw.fetch_cells drop constraint fetch_cells_status_check,"
        " add check (status in ('SUCCESS', 'UNCHANGED', 'EMPTY', 'NOT_PUBLISHED', 'PARTIAL', 'FAILED'));"
        " comment on schema raw is 'layout of an older version'"
    )
    running.clock(NOW)
    running.load("load", "--source", "krx", "--dataset", "stocks", *ON_THE_DAY)
    return running


def test_before_the_open_nothing_is_asked_for(polled: Running) -> None:
    polled.at("08:59:00")
    assert "nothing due" in polled.load(*LIVE)
    assert polled.statuses() == {}


def test_at_ten_the_minutes_that_are_over_stand_in_the_mart_as_provisional(polled: Running) -> None:
    polled.at("10:00:20")
    polled.load(*LIVE)
    polled.load(*LIVE, "--source", "kiwoom", "--scope", "990010")
    assert set(polled.statuses()) <= {"PROVISIONAL", "NOT_PUBLISHED"}
    # the minute that goes on is in raw, as the vendor told it, and nowhere else
    assert polled.database.rows(
        "select count(*) > 10 from raw.kis__inquire_time_dailychartprice where stck_cntg_hour = '100000'"
        " and stck_bsop_date = '20261007'"
    ) == [(True,)]
    polled.build()
    assert polled.minutes() == told_before(moment(10))
    assert polled.database.rows("select distinct is_provisional from marts.ohlcv_minute") == [
        (True,)
    ]
    # a second way looks at the session too
    assert polled.database.rows(
        "select is_provisional, count(*), max(started_at) < timestamptz '2026-10-07 10:00+09'"
        " from intermediate.int_minute_bars__unioned where source = 'kiwoom' and trade_date = '2026-10-07'"
        " and broken_rules = '' group by 1"
    ) == [(True, len(told_before(moment(10))["990010"]), True)]


def test_a_load_of_what_is_due_asks_for_nothing_of_a_session_that_goes_on(polled: Running) -> None:
    before = polled.statuses()
    told = polled.load("load", "--source", "kis", "--dataset", "ohlcv_minute", *ON_THE_DAY)
    assert "nothing due" in told
    assert polled.statuses() == before


def test_at_eleven_only_what_is_new_is_asked_for_and_the_rest_stays(polled: Running) -> None:
    polled.at("11:00:05")
    created = "select stock_code, time, created_at from marts.ohlcv_minute order by 1, 2"
    before = polled.database.rows(created)
    polled.simulator.forget_requests()
    polled.load(*LIVE)
    asked = polled.simulator.requests()[
        "/kis/uapi/domestic-stock/v1/quotations/inquire-time-dailychartprice"
    ]
    assert asked == len(market(SEED).listed(DAY)), "one page a name: an hour is half a page"
    polled.build()
    # 10:59 ended five seconds ago: its trades may still come in
    assert polled.minutes() == told_before(moment(10, 59))
    assert set(before) < set(polled.database.rows(created)), "a bar keeps when it was first told"
    assert polled.database.rows(
        "select is_provisional, max(minute_count) from marts.ohlcv_minute_5 where stock_code = '990020' group by 1"
    ) == [(True, 5)]


def test_a_look_that_fails_takes_nothing_away_and_the_next_one_goes_back_further(
    polled: Running,
) -> None:
    polled.at("14:00:20")
    polled.simulator.plant_fault(kind="html", path="inquire-time-dailychartprice", times=1, after=3)
    run = polled.database.loaders(*LIVE, "--scope", "990010", **polled.environment)
    assert run.returncode == 0, run.stderr
    polled.simulator.clear_faults()
    polled.simulator.plant_fault(kind="html", path="inquire-time-dailychartprice", times=1, after=1)
    run = polled.database.loaders(*LIVE, "--scope", "990020", **polled.environment)
    assert "cell failed" in run.stderr
    polled.simulator.clear_faults()
    assert polled.database.rows(
        "select scope, status from raw.fetch_cells where dataset = 'ohlcv_minute' and source = 'kis'"
        " and scope in ('990010', '990020') order by ledger_id desc limit 1"
    ) == [("990020", "PARTIAL")]
    polled.at("16:05:20")
    polled.load(*LIVE)
    polled.build()
    assert polled.minutes() == told_before(moment(16, 5))
    assert {row[-1] for row in polled.minutes()["990020"]} == {"REGULAR", "AFTER_MARKET"}
    assert polled.database.rows("select distinct is_provisional from marts.ohlcv_minute") == [
        (True,)
    ]


WAITS = "select pg_advisory_lock(hashtext('korean_market_warehouse.load'), hashtext('kis.api'))"


def test_it_gives_way_to_a_load_that_waits(polled: Running) -> None:
    held = "select count(*) from pg_locks where locktype = 'advisory' and granted and objsubid = 2"
    process = subprocess.Popen(
        [sys.executable, "-m", "loaders", *LIVE, "--source", "kis"], cwd=ROOT, text=True,
        env=polled.database.process_environment() | polled.environment | {"KIS_REQUESTS_PER_MINUTE": "60"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while polled.database.rows(held) == [(0,)]:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with polled.database.connect() as final:
            final.execute("set lock_timeout = '20s'")
            try:
                final.execute(WAITS)
            except psycopg.errors.LockNotAvailable:
                pytest.fail("a final load was kept waiting")
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, told
    assert "gives way" in told


def test_one_that_gives_way_before_its_first_answer_has_not_failed(polled: Running) -> None:
    def wait_for_waiting(number: int) -> None:
        deadline = time.monotonic() + 60
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while polled.database.rows(waiting) != [(number,)]:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    with (
        ThreadPoolExecutor() as pool,
        polled.database.connect() as before,
        polled.database.connect() as final,
    ):
        before.execute(WAITS)
        look = pool.submit(polled.database.loaders, *LIVE, "--source", "kis", **polled.environment)
        wait_for_waiting(1)
        # the final load stands in the line behind it when its turn comes
        turn = pool.submit(final.execute, WAITS)
        wait_for_waiting(2)
        before.execute("select pg_advisory_unlock_all()")
        done = look.result(timeout=60)
        turn.result(timeout=60)
    assert done.returncode == 0, done.stderr
    assert "gives way" in done.stderr
    assert "could be collected" not in done.stderr


def without_fetches(database: Database, relation: str, *left_out: str) -> list[tuple[object, ...]]:
    """Number of rows and a checksum over every column that says nothing of how it was collected."""
    columns = database.rows(
        "select string_agg(quote_ident(attname), ', ' order by attname) from pg_attribute"
        f" where attrelid = '{relation}'::regclass and attnum > 0 and not attisdropped"
        f" and attname <> all (array{[*left_out, 'created_at', 'fetched_at', 'first_fetched_at', 'fetch_id', 'row_number']})"
    )[0][0]
    return database.rows(
        f"select count(*), md5(string_agg(told::text, ';' order by told::text)) from (select {columns} from {relation}) as told"
    )


def test_the_final_answer_replaces_the_day_and_is_what_one_look_after_the_close_gives(
    polled: Running, new_database: Callable[..., Database]
) -> None:
    once = Running(new_database(sample=True), polled.simulator)
    polled.clock(NOW)
    once.load("load", "--source", "krx", "--dataset", "stocks", *ON_THE_DAY)
    polled.at("20:30:00")
    once.at("20:30:00")
    assert "no session goes on, or its final answers have come" in polled.load(*LIVE)
    for running in (polled, once):
        running.load("load", "--source", "kis", "--dataset", "ohlcv_minute", *ON_THE_DAY)
        running.load("load", "--source", "kis", "--dataset", "ohlcv_daily", *ON_THE_DAY)
        running.build()
    assert polled.minutes() == told_before(moment(23))
    assert polled.database.rows("select distinct is_provisional from marts.ohlcv_minute") == [
        (False,)
    ]
    for relation in (
        "marts.ohlcv_minute",
        "marts.ohlcv_minute_5",
        "marts.ohlcv_minute_60",
        "quality.minute_days_reconciled",
    ):
        found = without_fetches(polled.database, relation)
        assert found == without_fetches(once.database, relation), relation
        assert found[0][0], relation
    # what was wrong with a row is the same too; kiwoom was asked here alone
    checked = "intermediate.int_minute_bars__unioned"
    for table in ("plain_even_codes", "plain_odd_codes", "doubtful"):
        polled.database.execute(
            f"delete from intermediate.int_minute_bars__{table} where source = 'kiwoom'"
        )
    assert without_fetches(polled.database, checked) == without_fetches(once.database, checked)
    assert polled.database.rows(
        "select count(*) from quality.minute_days_reconciled where has_other_prices or has_other_volume"
    ) == [(0,)]
    # when it was first told is known of either
    assert polled.database.rows(
        "select max(created_at) filter (where time < '2026-10-07 10:00+09') < min(created_at) filter"
        " (where time >= '2026-10-07 16:10+09') from marts.ohlcv_minute"
    ) == [(True,)]
