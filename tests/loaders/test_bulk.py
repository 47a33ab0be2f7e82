"""Many pages at once: several fetches within the vendor's rate, a stop that ends them all, and a load that is killed."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from loaders.journal import folder_of
from sandbox.simulator.server import Simulator
from tests.conftest import ROOT, Database
from tests.loaders.test_kis_minutes import TOKEN, Row, envelope, serving, whole_day
from tests.replay import Asked, Reply

CODE = "000001"
FIRST, LAST = "2026-09-01", "2026-09-23"
DAYS = 17
"""Sessions from FIRST to LAST."""
PAGES_A_DAY = 3
CONCURRENCY = 4
MINUTES = "/kis/uapi/domestic-stock/v1/quotations/inquire-time-dailychartprice"


@dataclass
class Vendor:
    """Serves three pages for any day, and notes what was under way at the same time."""

    seconds: float = 0.0
    spoil: Callable[[int], Reply | None] = lambda _number: None
    token_requests: int = 0
    pages: int = 0
    at_once: int = 0
    most_at_once: int = 0
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: Any = field(default_factory=Lock)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/oauth2/tokenP":
            with self.lock:
                self.token_requests += 1
            time.sleep(self.seconds)
            return Reply(TOKEN)
        with self.lock:
            self.pages += 1
            number = self.pages
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.asked[asked.fields["FID_INPUT_DATE_1"], asked.fields["FID_INPUT_HOUR_1"]] += 1
        time.sleep(self.seconds)
        with self.lock:
            self.at_once -= 1
        return self.spoil(number) or Reply(envelope(page(asked.fields)))


def page(fields: Any) -> list[Row]:
    rows = [
        row | {"stck_bsop_date": fields["FID_INPUT_DATE_1"]}
        for row in reversed(whole_day())
        if row["stck_cntg_hour"] <= fields["FID_INPUT_HOUR_1"]
    ]
    return rows[:120]


def command(*options: str, code: str = CODE) -> list[str]:
    return [
        "load", "--source", "kis", "--dataset", "ohlcv_minute", "--scope", code,
        "--from", FIRST, "--to", LAST, *options,
    ]  # fmt: skip


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    return new_database()


def raw_rows(database: Database) -> list[tuple[object, ...]]:
    """What staging would see, without numbers of answers."""
    return database.rows(
        "select bars.stck_bsop_date, bars.stck_cntg_hour, bars.cntg_vol, bars.acml_tr_pbmn,"
        " bars._row_number, fetches.request ->> 'page', cells.scope, cells.status"
        " from raw.kis__inquire_time_dailychartprice as bars"
        " inner join raw.fetches as fetches on bars._fetch_id = fetches.fetch_id"
        " inner join raw.fetch_cells as cells on fetches.fetch_id = cells.fetch_id"
        " order by 7, 1, 6 nulls first, 5"
    )


def cells(database: Database) -> list[tuple[object, ...]]:
    """Cells in the order in which the ledger has them."""
    return database.rows(
        "select collection_date::text, status from raw.fetch_cells"
        " group by attempt_id, collection_date, status order by min(ledger_id)"
    )


def test_several_days_are_fetched_at_once_with_one_token_and_written_in_their_order(
    new_database: Callable[..., Database],
) -> None:
    at_once, one_by_one = new_database(), new_database()
    vendor, slow = Vendor(seconds=0.02), Vendor()
    for database, playing, concurrency in ((at_once, vendor, CONCURRENCY), (one_by_one, slow, 1)):
        with serving(playing) as (_, environment):
            run = database.loaders(
                *command("--strict"),
                **environment | {"KIS_CONCURRENCY": str(concurrency), "PROGRESS_SECONDS": "0"},
            )
        assert run.returncode == 0, run.stderr
    assert 1 < vendor.most_at_once <= CONCURRENCY
    assert slow.most_at_once == 1
    assert vendor.token_requests == 1
    assert vendor.asked == slow.asked
    assert len(raw_rows(at_once)) == DAYS * 300
    assert raw_rows(at_once) == raw_rows(one_by_one)
    assert cells(at_once) == cells(one_by_one)
    # pages of a day follow each other: who reads the newest by its number reads the newest
    assert at_once.rows(
        "select distinct array_agg(coalesce(request ->> 'page', '1') order by fetch_id)::text"
        " from raw.fetches group by request ->> 'FID_INPUT_DATE_1'"
    ) == [("{1,2,3}",)]
    lines = [line for line in run.stderr.splitlines() if "collecting" in line]
    assert len(lines) == DAYS, "where there is no terminal, log lines say how far a load is"
    assert "requests_per_second=" in lines[-1]


def test_a_vendor_that_stops_ends_every_fetch_and_the_rest_comes_with_the_next_load(
    database: Database,
) -> None:
    refusal = Reply(
        {"rt_cd": "1", "msg_cd": "EGW00103", "msg1": "유효하지 않은 AppKey입니다."}, 500
    )
    stopping = Vendor(seconds=0.05, spoil=lambda number: refusal if number > 20 else None)
    with serving(stopping) as (_, environment):
        run = database.loaders(*command(), **environment | {"KIS_CONCURRENCY": str(CONCURRENCY)})
    assert "check KIS_APP_KEY" in run.stderr
    assert "Traceback" not in run.stderr
    assert stopping.pages <= 20 + CONCURRENCY, "what was under way, and nothing after it"
    done = [day for day, status in cells(database) if status == "SUCCESS"]
    assert 3 <= len(done) < DAYS
    vendor = Vendor()
    with serving(vendor) as (_, environment):
        run = database.loaders(*command("--strict"), **environment)
    assert run.returncode == 0, run.stderr
    assert vendor.pages == PAGES_A_DAY * (DAYS - len(done)), "what is done is not asked for again"
    assert len({day for day, status in cells(database) if status == "SUCCESS"}) == DAYS


def test_a_page_that_cannot_be_read_is_kept_whatever_thread_received_it(database: Database) -> None:
    vendor = Vendor(
        seconds=0.01, spoil=lambda n: Reply("<html>점검</html>") if n % 5 == 0 else None
    )
    with serving(vendor) as (_, environment):
        database.loaders(*command(), **environment | {"KIS_CONCURRENCY": str(CONCURRENCY)})
    assert database.rows(
        "select count(*), count(distinct fetch_id) from raw.rejected_payloads"
        " inner join raw.fetches using (fetch_id)"
    ) == [(vendor.pages // 5, vendor.pages // 5)]


def test_a_bar_is_shown_on_a_terminal(database: Database) -> None:
    ours, theirs = pty.openpty()
    # a new one is of no width, and a bar is cut to its terminal
    termios.tcsetwinsize(theirs, (24, 120))
    with serving(Vendor()) as (_, environment):
        process = subprocess.Popen(
            [sys.executable, "-m", "loaders", *command()],
            cwd=ROOT,
            env=database.process_environment() | environment | {"PROGRESS_SECONDS": "0"},
            stdin=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            shown += part
        assert process.wait(timeout=60) == 0, shown
    os.close(ours)
    text = shown.decode()
    assert f"{DAYS}/{DAYS}" in text
    assert "requests/s" in text
    assert f"{DAYS * 300:,} rows" in text
    assert "collecting" not in text


# --- a load that is killed --------------------------------------------------------------------------------------------

KIS = ("load", "--source", "kis", "--dataset")
DAY = ("--from", "2026-10-07", "--to", "2026-10-07")


@pytest.fixture(scope="module")
def listed(new_database: Callable[..., Database], simulator: Simulator) -> Callable[[], Database]:
    """Makes databases that hold the lists of stocks."""

    def make() -> Database:
        database = new_database(sample=True)
        run = database.loaders(*KIS, "stocks", **simulator.environment)
        assert run.returncode == 0, run.stderr
        return database

    return make


def waiting(database: Database) -> list[Path]:
    """Files with answers that the ledger lacks."""
    with database.connect() as connection:
        folder = folder_of(connection, "kis.api")
    return list(folder.iterdir()) if folder.exists() else []


def pages_seen(simulator: Simulator) -> int:
    return simulator.requests().get(MINUTES, 0)


def kill_after(database: Database, simulator: Simulator, pages: int, *options: str) -> int:
    """Kill a load when the vendor has been asked for so many pages; returns how many it was asked for."""
    before = pages_seen(simulator)
    # slow enough to be caught in mid-way
    paced = simulator.environment | {"KIS_CONCURRENCY": "4", "KIS_REQUESTS_PER_MINUTE": "1500"}
    process = subprocess.Popen(
        [sys.executable, "-m", "loaders", *KIS, "ohlcv_minute", *DAY, *options],
        cwd=ROOT,
        env=database.process_environment() | paced,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while pages_seen(simulator) < before + pages:
        assert process.poll() is None, "the load ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    return pages_seen(simulator) - before


def test_a_killed_load_goes_on_at_the_page_where_it_stopped(
    listed: Callable[[], Database], simulator: Simulator
) -> None:
    undisturbed, killed = listed(), listed()
    fast = simulator.environment | {"KIS_CONCURRENCY": "4", "KIS_REQUESTS_PER_MINUTE": "1500"}
    simulator.forget_requests()
    assert undisturbed.loaders(*KIS, "ohlcv_minute", *DAY, **fast).returncode == 0
    whole = pages_seen(simulator)
    empty = undisturbed.rows(
        "select count(*) from raw.fetches where endpoint = 'inquire-time-dailychartprice' and row_count = 0"
    )[0][0]
    asked = [kill_after(killed, simulator, 60) for _ in range(2)]
    assert killed.rows("select count(*) from raw.kis__inquire_time_dailychartprice") == [(0,)]
    # the list of corporate actions is another feed of the service: what waits for the minutes stays
    assert killed.loaders(*KIS, "corporate_actions", *DAY, **simulator.environment).returncode == 0
    before = pages_seen(simulator)
    last = killed.loaders(*KIS, "ohlcv_minute", *DAY, "--strict", **fast)
    assert last.returncode == 0, last.stderr
    assert "went on where a load was cut short" in last.stderr
    asked.append(pages_seen(simulator) - before)
    # each kill costs what was under way; an answer without records is never kept, since it may say "not yet"
    assert whole <= sum(asked) <= whole + 2 * 4 + 2 * int(str(empty)), (whole, asked, empty)
    assert raw_rows(killed) == raw_rows(undisturbed)
    # a look that is wanted anew is a new look, though the killed load had the page
    before = pages_seen(simulator)
    assert killed.loaders(*KIS, "ohlcv_minute", *DAY, "--refresh", **fast).returncode == 0
    assert pages_seen(simulator) - before == whole
    assert waiting(killed) == []


def test_what_is_too_old_is_asked_for_again(
    listed: Callable[[], Database], simulator: Simulator
) -> None:
    database = listed()
    kill_after(database, simulator, 40)
    left = waiting(database)
    assert left
    for path in left:
        os.utime(path, (time.time() - 7 * 3600,) * 2)
    kept = b"".join(path.read_bytes() for path in left)
    assert b"authorization" not in kept
    assert b"sample-kis-app-secret" not in kept
    run = database.loaders(*KIS, "ohlcv_minute", *DAY, "--strict", **simulator.environment)
    assert run.returncode == 0, run.stderr
    assert "went on where" not in run.stderr


def test_half_a_million_rows_fit_into_500_megabytes(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pages")
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench.minute_pages", str(folder)],
        cwd=ROOT,
        env=database.process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    measured = json.loads(run.stdout)
    assert measured["rows"] == 500_253
    assert database.rows("select count(*) from raw.kis__inquire_time_dailychartprice") == [
        (500_253,)
    ]
    assert measured["peak_mb"] < 500
