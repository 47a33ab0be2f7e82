"""Forty days of real holdings of eighteen funds, told in the vendor's shape over HTTP on loopback, through to the mart.

The issuer's files give code, name, units and weight. The vendor gives amounts and no weight, so a fund's whole amount is set to
1,000,000,000 won and a line's amount follows from its weight; the weight in the mart is computed back from the two.
"""

import json
import subprocess
import sys
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import ROOT, Database

UNIT = 1_000_000_000
# codes as the files themselves tell them, where one fund holds another; the others get codes of nobody
CODES = {
    "TIME 코스피액티브": "385720", "TIME 글로벌AI인공지능액티브": "456600", "TIME 글로벌우주테크&방산액티브": "478150",
    "TIME 미국나스닥100액티브": "426030", "TIME 미국S&P500액티브": "426020", "TIME 차이나AI테크액티브": "0043Y0",
    "TIME 글로벌소비트렌드액티브": "494180", "TIME K바이오액티브": "463050", "TIME 글로벌바이오액티브": "485810",
    "TIME 미국배당다우존스액티브": "0036D0", "TIME 미국나스닥100채권혼합50액티브": "0019K0", "TIME K이노베이션액티브": "385710",
}  # fmt: skip

Line = tuple[str, str, Decimal, Decimal]
"""Code, name, units, weight."""


def _number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


class Holdings:
    """The files by day and fund code."""

    def __init__(self, folder: Path) -> None:
        (path,) = folder.glob("timefolio_holdings_*.zip")
        self.days: dict[date, dict[str, list[Line]]] = {}
        self.names: dict[str, str] = {}
        codes = dict(CODES)
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                funds = json.loads(archive.read(name))
                self.days[date.fromisoformat(name[:10])] = {
                    codes.setdefault(fund, f"99{len(codes):03d}0"): [
                        (code, title, _number(units), _number(weight))
                        for code, title, units, weight in lines
                    ]
                    for fund, lines in funds.items()
                }
        self.names = {code: fund for fund, code in codes.items()}

    def lines(self) -> Iterator[tuple[date, str, Line]]:
        for day, funds in self.days.items():
            for fund, lines in funds.items():
                for line in lines:
                    yield day, fund, line

    def answer(self, endpoint: str, params: dict[str, str]) -> list[dict[str, Any]]:
        if endpoint == "stock/code":
            return [
                {"isin": f"KR7{code}000", "code": code, "kr_name": name, "market": "거래소(코스피)",
                 "equity_type": "EF", "listed_date": 20210525}
                for code, name in self.names.items()
                if params["type"] == "EF" and params.get("code", "") in code
            ]  # fmt: skip
        day = date.fromisoformat(params["date"])
        lines = self.days.get(day, {}).get(params["code"], [])
        whole = sum(weight for *_, weight in lines)
        return [
            {
                "date": int(params["date"]), "isin": f"KR7{params['code']}000", "code": params["code"],
                "kr_name": self.names[params["code"]],
                # the issuer leaves cash and liabilities out: the vendor would count one line more
                "constituents": len(lines) + (abs(whole - 100) > Decimal("0.1")),
                "admin_number": "001", "etf_value": UNIT,
                "port_isin": code if len(code) == 12 and code.isalnum() else "",
                "port_code": code, "port_name": name, "port_value": int(weight * UNIT / 100), "port_volume": float(units),
            }
            for code, name, units, weight in lines
        ]  # fmt: skip


@contextmanager
def served(holdings: Holdings) -> Iterator[str]:
    """The vendor's address on loopback while it answers from the files."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            params = {
                name: values[0]
                for name, values in parse_qs(asked.query, keep_blank_values=True).items()
            }
            rows = holdings.answer(asked.path.removeprefix("/api/"), params)
            body = json.dumps({"success": True, "results": rows}, ensure_ascii=False).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def holdings(real_data: Path) -> Holdings:
    return Holdings(real_data / "etf_pdf")


LOAD_EACH_DAY = """
import sys
from loaders.__main__ import load
load(source="infomax", dataset="stocks", strict=True)
for day in sys.argv[1:]:
    load(source="infomax", dataset="etf_portfolios", start=day, end=day, strict=True)
"""


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], holdings: Holdings) -> Database:
    database = new_database()
    with served(holdings) as base_url:
        # the dataset is weekly, so each day has to be named; one process spares forty starts
        loaded = subprocess.run(
            [sys.executable, "-c", LOAD_EACH_DAY, *map(str, holdings.days)],
            cwd=ROOT,
            env=database.process_environment()
            | {
                "INFOMAX_BASE_URL": base_url,
                "INFOMAX_TOKEN": "any",
                "INFOMAX_REQUESTS_PER_MINUTE": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert loaded.returncode == 0, loaded.stderr
    built = database.build("etf_portfolios", "etf_portfolio_totals")
    assert built.returncode == 0, built.stdout
    return database


def test_every_line_of_the_files_is_in_the_mart(warehouse: Database, holdings: Holdings) -> None:
    expected = {
        (fund, day, code): (units, weight)
        for day, fund, (code, _, units, weight) in holdings.lines()
    }
    rows = warehouse.rows(
        "select etf_code, base_date, component_code, shares, weight from marts.etf_portfolios"
    )
    assert {
        (fund, day, code): (units, weight) for fund, day, code, units, weight in rows
    } == expected
    assert len(rows) == 24_704


def test_codes_longer_than_ten_characters_survive(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*), max(length(component_code)) from marts.etf_portfolios where length(component_code) > 10"
    ) == [(13_161, 16)]


def test_weights_add_up_where_the_source_gives_all(warehouse: Database, holdings: Holdings) -> None:
    totals: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for day, fund, (_, _, _, weight) in holdings.lines():
        totals[fund, day] += weight
    rows = warehouse.rows(
        "select etf_code, base_date, weight_sum, gives_all, derivative_line_count from quality.etf_portfolio_totals"
    )
    assert {(fund, day): total for fund, day, total, _, _ in rows} == totals
    complete = [total for _, _, total, gives_all, _ in rows if gives_all]
    assert complete
    assert all(abs(total - 100) <= Decimal("0.1") for total in complete)  # type: ignore[operator]
    assert len(complete) == sum(
        abs(total - 100) <= Decimal("0.1") and not derivatives
        for _, _, total, _, derivatives in rows  # type: ignore[operator]
    )


def test_every_component_has_its_type(warehouse: Database) -> None:
    found = warehouse.rows(
        "select component_type, count(distinct component_code) from marts.etf_portfolios group by 1 order by 1"
    )
    types = {str(kind): int(str(count)) for kind, count in found}
    assert types.pop("FUTURE") == 7
    # tickers of US, JP, HK, CH, LN, SS, … and foreign ISINs in the place of a code
    assert types.pop("FOREIGN") == 252
    assert types.pop("ETF") + types.pop("STOCK") == 256
    assert types == {}
    kinds = dict(
        warehouse.rows(
            "select distinct on (component_code) component_code, component_type from marts.etf_portfolios"
            " where component_code in ('VT US EQUITY', 'ESH6 Index', 'US6668071029', 'KYG8068L1086', '005930', '0060H0',"
            " '385720', '300308 CH EQUITY', 'BRK/B US EQUITY')"
        )
    )
    assert kinds == {
        "VT US EQUITY": "FOREIGN", "ESH6 Index": "FUTURE", "US6668071029": "FOREIGN", "KYG8068L1086": "FOREIGN",
        "005930": "STOCK", "0060H0": "ETF", "385720": "ETF", "300308 CH EQUITY": "FOREIGN", "BRK/B US EQUITY": "FOREIGN",
    }  # fmt: skip
