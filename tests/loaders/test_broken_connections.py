"""Vendors that are slow, drop the line or answer in another encoding: one line, the right exit code, nothing lost or doubled."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import pytest

from loaders.collect import SAMPLE_HEADER
from sandbox.simulator.server import Simulator
from tests.conftest import Database
from tests.replay import Asked, Reply, replaying

DAY = "2026-05-07"
LOAD = (
    *("load", "--source", "krx", "--dataset", "ohlcv_daily", "--scope", "KOSPI"),
    *("--from", DAY, "--to", DAY, "--refresh"),
)
CELLS = f"select status from raw.fetch_cells where dataset = 'ohlcv_daily' and collection_date = '{DAY}' order by ledger_id"
RECORD = {
    "BAS_DD": "20260507", "ISU_CD": "990010", "ISU_NM": "가나전자", "MKT_NM": "KOSPI", "SECT_TP_NM": "", "TDD_CLSPRC": "100",
    "CMPPREVDD_PRC": "0", "FLUC_RT": "0.00", "TDD_OPNPRC": "100", "TDD_HGPRC": "100", "TDD_LWPRC": "100", "ACC_TRDVOL": "1",
    "ACC_TRDVAL": "100", "MKTCAP": "100", "LIST_SHRS": "1",
}  # fmt: skip
SOUND = json.dumps({"OutBlock_1": [RECORD]}, ensure_ascii=False)

Answer = Callable[[BaseHTTPRequestHandler], None]


def sends(
    body: bytes, *, length: int | None = None, kind: str = "application/json; charset=utf-8"
) -> Answer:
    """An answer; `length` claims more than is sent, and the line goes dead after what is."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(length or len(body)))
        handler.send_header(SAMPLE_HEADER, "a test")
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@contextmanager
def vendor(answers: list[Answer]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """A vendor that gives these answers one after another, the last one for ever.

    Yields its environment for the loaders and the paths asked for.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answers[min(len(asked), len(answers)) - 1](self)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        environment = {
            "KRX_OPENAPI_BASE_URL": f"http://127.0.0.1:{server.server_port}",
            "KRX_OPENAPI_KEY": "any",
            "KRX_OPENAPI_REQUESTS_PER_MINUTE": "0",
        }
        yield environment, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    return new_database(sample=True)


@pytest.fixture(scope="module")
def open_api(simulator: Simulator) -> Simulator:
    """The exchange's Open API alone: with another way to the same cell, none would fail."""
    return simulator.only("KRX_OPENAPI_")


@pytest.fixture
def loaded(database: Database, open_api: Simulator) -> Database:
    """A database that has the day already."""
    assert database.loaders(*LOAD, **open_api.environment).returncode == 0
    return database


def rows_of_the_day(database: Database) -> tuple[object, object]:
    (row,) = database.rows(
        "select count(*), count(distinct isu_cd) from raw.krx__stk_bydd_trd where bas_dd = '20260507'"
    )
    return row[0], row[1]


def test_a_vendor_that_never_answers_costs_one_cell_and_one_line(
    loaded: Database, open_api: Simulator
) -> None:
    before = rows_of_the_day(loaded)
    open_api.plant_fault(path="stk_bydd_trd", kind="timeout", seconds=1.5, times=2)
    run = loaded.loaders(
        *LOAD, **open_api.environment | {"HTTP_TIMEOUT_SECONDS": "0.3", "HTTP_ATTEMPTS": "2"}
    )
    assert run.returncode == 1, "the only cell that was asked for failed"
    assert "no answer from 127.0.0.1" in run.stderr
    assert "Timeout" in run.stderr
    assert "Traceback" not in run.stderr
    assert loaded.rows(CELLS) == [("SUCCESS",), ("FAILED",)]
    assert rows_of_the_day(loaded) == before
    # the slow answers are still on their way when the next run asks
    again = loaded.loaders(*LOAD, **open_api.environment)
    assert again.returncode == 0, again.stderr
    assert loaded.rows(CELLS) == [("SUCCESS",), ("FAILED",), ("UNCHANGED",)]
    assert rows_of_the_day(loaded) == before


@pytest.mark.parametrize(
    "broken",
    [hangs_up, sends(SOUND.encode()[:40], length=len(SOUND.encode()))],
    ids=["before the answer", "in the middle of it"],
)
def test_a_line_that_drops_is_tried_again_then_given_up(database: Database, broken: Answer) -> None:
    with vendor([broken]) as (environment, asked):
        run = database.loaders(*LOAD, **environment)
    assert run.returncode == 1
    assert "no answer from 127.0.0.1" in run.stderr
    assert "Traceback" not in run.stderr
    assert len(asked) == 3, "HTTP_ATTEMPTS of the tests"
    assert database.rows(CELLS) == [("FAILED",)]
    assert rows_of_the_day(database) == (0, 0)

    with vendor([broken, sends(SOUND.encode())]) as (environment, asked):
        run = database.loaders(*LOAD, "--strict", **environment)
    assert run.returncode == 0, run.stderr
    assert len(asked) == 2
    assert database.rows(CELLS) == [("FAILED",), ("SUCCESS",)]
    assert rows_of_the_day(database) == (1, 1)


def test_an_answer_in_another_encoding_is_kept_as_it_came(database: Database) -> None:
    # the header does not help: the exchange's sites call anything anything
    body, kind = SOUND.encode("cp949"), "application/json; charset=euc-kr"
    with vendor([sends(body, kind=kind)]) as (
        environment,
        asked,
    ):
        run = database.loaders(*LOAD, **environment)
    assert run.returncode == 1
    assert "not UTF-8" in run.stderr
    assert "CP949" in run.stderr
    assert "Traceback" not in run.stderr
    assert len(asked) == 1, "the same question would bring the same bytes"
    assert database.rows("select payload, content_type from raw.rejected_payloads") == [
        (body, kind)
    ]
    assert database.rows(CELLS) == [("FAILED",)]
    assert rows_of_the_day(database) == (0, 0)


def test_rows_of_another_day_are_not_taken_for_the_day(database: Database) -> None:
    stale = SOUND.replace("20260507", "20260506")
    with vendor([sends(stale.encode())]) as (environment, _):
        run = database.loaders(*LOAD, "--refresh", **environment)
    assert run.returncode == 1
    assert "the answer is of '20260506'" in run.stderr
    newest = "select status from raw.fetch_cells order by ledger_id desc limit 1"
    assert database.rows(newest) == [("FAILED",)]


LONG = ("--from", "2025-11-03", "--to", "2026-10-30")


def load_long(database: Database, answer: Callable[[int], Reply]) -> tuple[Any, int]:
    """A year of one stock from a vendor that gives these answers by their number; how it ended, and how many were asked for."""
    numbers = count(1)

    def vendor(asked: Asked) -> Reply:
        return (
            Reply({"access_token": "t", "expires_in": 86400})
            if asked.path == "/oauth2/tokenP"
            else answer(next(numbers))
        )

    with replaying(vendor) as replay:
        run = database.loaders(
            "load", "--source", "kis", "--dataset", "ohlcv_minute", "--scope", "000060", *LONG, "--refresh",
            KIS_BASE_URL=replay.base_url, KIS_APP_KEY=replay.account, KIS_APP_SECRET="some-secret",
            KIS_REQUESTS_PER_MINUTE="0", KIS_CONCURRENCY="1", KIS_TOKEN_INTERVAL_SECONDS="0",
        )  # fmt: skip
        return run, len(replay.asked) - 1


@pytest.mark.parametrize(
    ("down", "requests"),
    [
        # the first three are tried three times each
        (Reply({"message": "Service Unavailable"}, 503), 206),
        (Reply("<html>시스템 점검 안내</html>"), 200),
        # the vendor's own time-out, whatever its status
        (Reply({"rt_cd": "1", "msg_cd": "EGW00300", "msg1": "timeout"}), 206),
    ],
)
def test_a_host_that_is_down_is_not_asked_for_every_cell(
    new_database: Callable[..., Database], down: Reply, requests: int
) -> None:
    run, asked = load_long(new_database(), lambda _number: down)
    assert run.returncode == 1
    assert "200 answers in a row were errors of the server or web pages" in run.stderr
    assert "the vendor may be under maintenance: run again later" in run.stderr
    assert asked == requests


def test_errors_of_many_cells_in_a_row_keep_the_others_from_nothing(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    down = Reply("<html>error</html>", 500)
    run, _ = load_long(
        database, lambda number: down if number <= 150 else Reply({"rt_cd": "0", "output2": []})
    )
    assert "answers in a row" not in run.stderr
    ((failed, empty),) = database.rows(
        "select count(*) filter (where status = 'FAILED'), count(*) filter (where status = 'EMPTY') from raw.fetch_cells"
    )
    assert failed == 144, "of the first three each was tried three times"
    assert int(str(empty)) > 80
