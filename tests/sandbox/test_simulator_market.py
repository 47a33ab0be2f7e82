"""The sample market hangs together: minutes, indexes, funds, actions; and its stage plants the faults that it says."""

import copy
import itertools
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import requests
from fastapi import Request, Response

from loaders import calendar
from sandbox.simulator.market import (
    LEAVES,
    Market,
    check_digit,
    market,
    regular_minutes,
)
from sandbox.simulator.server import SEED, Simulator
from sandbox.simulator.stage import Fault, Stage
from tests.conftest import ROOT

MARKET = market(SEED)

DIGEST = """
import hashlib
from sandbox.simulator.market import Market
made, told = Market(7), hashlib.sha256()
for stock in made.stocks:
    day = stock.bar_days[-3]
    told.update(repr((stock.code, stock.krx_sectors, stock.wics, stock.float_shares_on(day), stock.bars[day])).encode())
    told.update(repr((made.minutes(stock, day), made.after_market_minutes(stock, day), stock.foreign[day])).encode())
for name in ("KOSPI", "KOSDAQ150"):
    told.update(repr(sorted(made.index_bars(name).items())).encode())
for etf in made.etfs:
    told.update(repr([(etf.bars[day], etf.holdings(day)) for day in made.sessions]).encode())
print(told.hexdigest())
"""


def digest_of(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_a_seed_gives_the_same_market_in_every_process() -> None:
    first = digest_of(DIGEST)
    assert first == digest_of(DIGEST)
    assert first != digest_of(DIGEST.replace("Market(7)", "Market(8)"))


@pytest.mark.parametrize(
    ("code", "day", "bar", "foreigners"),
    [
        ("990010", date(2026, 10, 8), (92900, 96800, 90000, 90000, 1388034, 127282717800),
         (298352, 470553, 27358913005, 43149712526)),
        ("99002K", date(2026, 6, 12), (33650, 33650, 32350, 32350, 1008, 32936400), (250, 196, 8181576, 6407927)),
        ("991050", date(2026, 7, 8), (727, 873, 507, 707, 102518, 71608823), (29577, 27032, 20660071, 18882164)),
        ("991390", date(2026, 10, 8), (54000, 57400, 52900, 55100, 40622, 2239287750), (10005, 6036, 551544844, 332754710)),
    ],
)  # fmt: skip
def test_new_kinds_of_facts_leave_bars_and_flows_alone(
    code: str, day: date, bar: tuple[int, ...], foreigners: tuple[int, ...]
) -> None:
    stock = MARKET.by_code(code)
    assert stock is not None
    found = stock.bars[day]
    assert (found.open, found.high, found.low, found.close, found.volume, found.value) == bar
    assert stock.flows[day]["외국인"] == foreigners


def test_minutes_add_up_to_the_day_s_bar() -> None:
    counts = []
    for security in (*MARKET.stocks, *MARKET.etfs):
        for day in MARKET.sessions[::9]:
            bar = security.bars.get(day)
            minutes = MARKET.minutes(security, day)
            if bar is None or bar.volume == 0:
                assert minutes == []
                continue
            counts.append(len(minutes))
            where = f"{security.code} {day}"
            assert minutes[0].open == bar.open, where
            assert minutes[-1].close == bar.close, where
            assert max(minute.high for minute in minutes) == bar.high, where
            assert min(minute.low for minute in minutes) == bar.low, where
            assert sum(minute.volume for minute in minutes) == bar.volume, where
            assert sum(minute.value for minute in minutes) == bar.value, where
            starts = [minute.start for minute in minutes]
            assert starts == sorted(set(starts)), where
            assert set(starts) <= set(regular_minutes(day)), where
            for minute in minutes:
                assert minute.low <= min(minute.open, minute.close), where
                assert max(minute.open, minute.close) <= minute.high, where
                assert minute.low * minute.volume <= minute.value <= minute.high * minute.volume
    assert min(counts) < 381 == max(counts), "minutes without a trade are absent, full days exist"


@pytest.mark.parametrize(
    ("day", "first", "last_continuous", "auction", "count"),
    [
        (date(2026, 5, 6), "09:00", "15:19", "15:30", 381),
        (date(2026, 1, 2), "10:00", "15:19", "15:30", 321),
        (date(2026, 11, 19), "10:00", "16:19", "16:30", 381),
    ],
)
def test_minutes_follow_the_hours_of_the_day(
    day: date, first: str, last_continuous: str, auction: str, count: int
) -> None:
    starts = [f"{start:%H:%M}" for start in regular_minutes(day)]
    assert (starts[0], *starts[-2:]) == (first, last_continuous, auction)
    assert len(starts) == count


def test_the_after_market_begins_on_14_september_and_is_no_part_of_the_bar() -> None:
    stock = MARKET.by_code("990220")
    assert stock is not None
    assert MARKET.after_market_minutes(stock, date(2026, 9, 11)) == []
    minutes = MARKET.after_market_minutes(stock, date(2026, 9, 14))
    assert minutes
    assert {minute.start.hour for minute in minutes} <= {16, 17, 18, 19}
    bounds = stock.limits_on(date(2026, 9, 14))
    assert bounds is not None
    assert all(bounds[0] <= minute.low <= minute.high <= bounds[1] for minute in minutes)
    assert all(
        minute.low * minute.volume <= minute.value <= minute.high * minute.volume
        for minute in minutes
    )
    assert all(MARKET.after_market_minutes(etf, date(2026, 9, 14)) == [] for etf in MARKET.etfs)


@pytest.mark.parametrize("index_name", ["KOSPI200", "KOSDAQ150"])
def test_members_follow_the_changes(index_name: str) -> None:
    days = [calendar.previous_session(MARKET.sessions[0]), *MARKET.sessions]
    changes = MARKET.index_changes(index_name)
    for before, day in itertools.pairwise(days):
        old, new = (set(MARKET.index_members(index_name, at)) for at in (before, day))
        today = [change for change in changes if change.effective == day]
        assert new - old == {change.entered for change in today if change.entered}
        assert old - new == {change.left for change in today if change.left}
        assert all(stock.is_listed(day) for stock in new)
        assert {stock.board_on(day) for stock in new} == {index_name.rstrip("0125")}
    assert all(calendar.is_session(change.announced) for change in changes)
    assert all(change.announced < change.effective for change in changes)


def test_members_changed_at_a_review_ad_hoc_and_on_one_side() -> None:
    review = date(2026, 6, 12)
    kospi, kosdaq = MARKET.index_changes("KOSPI200"), MARKET.index_changes("KOSDAQ150")
    assert all(review in {change.effective for change in changes} for changes in (kospi, kosdaq))
    alone = [change.entered.code for change in kospi if change.entered and not change.left]
    assert alone == ["9900A0"]
    left = {change.left.code: change.effective for change in kosdaq if change.left}
    delisted = MARKET.by_code("991050")
    assert delisted is not None
    assert delisted.delisted is not None
    assert left["991050"] < delisted.delisted


@pytest.mark.parametrize("index_name", ["KOSPI", "KOSPI200", "KOSDAQ", "KOSDAQ150"])
def test_index_levels_chain_and_no_corporate_action_shows_in_them(index_name: str) -> None:
    bars = MARKET.index_bars(index_name)
    assert list(bars) == MARKET.sessions
    previous = None
    for bar in bars.values():
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert previous in (None, bar.previous_close)
        assert abs(bar.change_rate) < 8, f"{bar.day}: a split must not move the index"
        assert bar.advanced + bar.declined + bar.equal == bar.constituents
        previous = bar.close


def test_weights_of_a_fully_valued_fund_add_up() -> None:
    for etf in MARKET.etfs:
        for day in MARKET.sessions:
            holdings, unit = etf.holdings(day), etf.unit_value(day)
            assert unit is not None
            parts = [line.value for line in holdings if line.kind != "CREATION_CASH"]
            if etf.is_fully_valued:
                weights = [100 * Decimal(part) / unit for part in parts if part is not None]
                assert len(weights) == len(holdings)
                assert sum(weights) == pytest.approx(100, abs=1e-9)
            else:
                assert None in parts
    kinds = Counter(line.kind for etf in MARKET.etfs for line in etf.holdings(MARKET.sessions[0]))
    assert set(kinds) == {"STOCK", "ETF", "FUTURE", "BOND", "FOREIGN", "DEPOSIT", "CREATION_CASH"}
    assert MARKET.etfs[0].holdings(date(2026, 5, 5)) == [], "a holiday"


def test_the_index_fund_holds_the_members_and_moves_with_the_index() -> None:
    fund, levels = MARKET.etf("993010"), MARKET.index_bars("KOSPI200")
    assert fund is not None
    for before, day in itertools.pairwise(MARKET.sessions):
        held = {line.code for line in fund.holdings(day) if line.kind == "STOCK"}
        assert held == {stock.code for stock in MARKET.index_members("KOSPI200", day)}
        old, new = fund.nav(before), fund.nav(day)
        assert old
        assert new
        moved = float(100 * (new / old - 1))
        # the fund counts new shares from the ex-date, the index from their listing
        assert moved == pytest.approx(float(levels[day].change_rate), abs=0.5), day


def test_foreigners_hold_more_by_what_they_buy_and_never_more_than_they_may() -> None:
    utility = MARKET.by_code("990210")
    assert utility is not None
    assert {holding.limit_ratio for holding in utility.foreign.values()} == {40.0}
    for stock in MARKET.stocks:
        days = stock.bar_days
        for before, day in itertools.pairwise(days):
            then, now = stock.foreign[before], stock.foreign[day]
            assert 0 <= now.shares <= now.limit_shares
            leaves = stock.flows.get(day)
            if day in stock.actions or not 0 < now.shares < now.limit_shares:
                continue
            names = ("외국인", "기타외국인")
            net = sum(leaves[name][0] - leaves[name][1] for name in names) if leaves else 0
            assert now.shares - then.shares == net


def test_floats_and_industries_are_there_where_real_lists_have_them() -> None:
    day = date(2026, 7, 1)
    for stock in MARKET.stocks:
        floating = stock.float_shares_on(day)
        if stock.is_preferred or stock.market == "KONEX":
            assert (floating, stock.wics_on(day)) == (None, None)
        else:
            assert floating is not None
            assert 0.2 <= floating / stock.shares_on(day) <= 0.9
    changed = MARKET.by_code("990130")
    assert changed is not None
    assert changed.float_shares_on(date(2026, 6, 11)) != changed.float_shares_on(date(2026, 6, 12))
    moved = MARKET.by_code("991010")
    assert moved is not None
    assert moved.krx_sectors_on(date(2026, 5, 15)) == ("1007", "1017", "1036")
    assert moved.krx_sectors_on(date(2026, 5, 18)) == ("0000", "0026", "0000")


def test_corporate_actions_explain_base_prices_and_shares() -> None:
    found = {(record.stock.code, record.kind): record for record in MARKET.corporate_actions}
    split = found["990010", "SPLIT"]
    assert (split.ratio, split.par_before, split.par_after) == (50, 5000, 100)
    assert split.stock.par_on(split.ex_date) == "100"
    assert found["990040", "CAPITAL_REDUCTION"].ratio == Fraction(1, 3)
    assert found["990030", "RIGHTS"].price
    for record in MARKET.corporate_actions:
        stock, ratio = record.stock, record.ratio
        assert calendar.is_session(record.ex_date)
        if ratio is None or record.listing_date is None:
            continue
        assert stock.shares_on(record.listing_date) == record.total_shares
        before = stock.shares_on(calendar.previous_session(record.listing_date))
        assert record.total_shares - before == record.issued_shares
        close = stock.bars[calendar.previous_session(record.ex_date)].close
        worth = {
            "BONUS": close / (1 + ratio),
            "RIGHTS": (close + float(ratio) * (record.price or 0)) / (1 + ratio),
        }.get(record.kind, close / ratio)
        assert stock.bars[record.ex_date].base == pytest.approx(float(worth), rel=0.01)


def test_a_full_market_holds_the_small_one_and_is_ready_in_time() -> None:
    began = time.monotonic()
    full = Market(SEED, size="full")
    assert time.monotonic() - began < 60
    assert len({stock.isin for stock in full.stocks}) == len(full.stocks) == 2_800
    pattern = re.compile(r"^([0-9]{5}[0-9KLM]|[0-9]{4}[A-Z][0-9])$")
    assert all(pattern.match(stock.code) for stock in full.stocks)
    assert all(check_digit(stock.isin[:-1]) == int(stock.isin[-1]) for stock in full.stocks)
    for stock in MARKET.stocks:
        twin = full.by_code(stock.code)
        assert twin is not None
        assert (twin.bars, twin.flows, twin.wics) == (stock.bars, stock.flows, stock.wics)
    day = date(2026, 2, 3)
    assert len(full.index_members("KOSPI200", day)) == 200
    assert len(full.index_members("KOSDAQ150", day)) == 150
    for stock in full.listed(day)[::200]:
        bar, leaves = stock.bars[day], stock.flows.get(day)
        if leaves:
            assert list(leaves) == list(LEAVES)
            totals = tuple(sum(column) for column in zip(*leaves.values(), strict=True))
            assert totals == (bar.volume, bar.volume, bar.value, bar.value)
        assert sum(minute.value for minute in full.minutes(stock, day)) == bar.value


# a broker's shape: objects before the list, the list under a name of its own
PAYLOAD: dict[str, Any] = {
    "rt_cd": "0",
    "output1": {"hts_kor_isnm": "표본전자"},
    "output2": [
        {"stck_bsop_date": "20260506", "stck_clpr": "71200", "code": "000100"},
        {"stck_bsop_date": "20260504", "stck_clpr": "70900", "code": "000101"},
        {"stck_bsop_date": "20260430", "stck_clpr": "70100", "code": "000102"},
        {"stck_bsop_date": "20260429", "stck_clpr": "69900", "code": "000103"},
    ],
}


def asked(path: str = "/kis/prices", query: str = "") -> Request:
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
    return Request(scope | {"headers": [], "server": ("127.0.0.1", 80), "scheme": "http"})


@pytest.fixture
def stage() -> Stage:
    return Stage(MARKET, calendar.session_close(MARKET.sessions[-1]))


def spoiled(stage: Stage, payload: Any = PAYLOAD, **fault: Any) -> Response:
    stage.faults.append(Fault(path="/kis/", **fault))
    return stage.answer(asked(), payload)


def rows_of(response: Response) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(bytes(response.body))["output2"]
    return rows


# a copy: what a fault does to the market's own records must show
ROWS: list[dict[str, str]] = copy.deepcopy(PAYLOAD["output2"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "empty"}, lambda: []),
        ({"kind": "half"}, lambda: ROWS[:2]),
        ({"kind": "drop_rows"}, lambda: ROWS[:1]),
        ({"kind": "double_rows"}, lambda: [row for row in ROWS for _ in "12"]),
        (
            {"kind": "drop_zeros", "field": "code"},
            lambda: [row | {"code": row["code"][3:]} for row in ROWS],
        ),
        (
            {"kind": "dash", "field": "stck_clpr"},
            lambda: [row | {"stck_clpr": "-"} for row in ROWS],
        ),
        ({"kind": "extra"}, lambda: [row | {"surprise": {"nested": True}} for row in ROWS]),
    ],
)
def test_faults_of_records_find_them_in_any_shape(
    stage: Stage, fault: dict[str, str], expected: Callable[[], list[dict[str, Any]]]
) -> None:
    assert rows_of(spoiled(stage, **fault)) == expected()
    assert rows_of(stage.answer(asked(), PAYLOAD)) == ROWS, "once, and the market's own stays whole"


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"kind": "block"}, 403, "403 Forbidden"),
        ({"kind": "logout"}, 400, "LOGOUT"),
        ({"kind": "429"}, 429, "Too Many"),
        ({"kind": "500"}, 500, "Internal"),
        ({"kind": "html"}, 200, "점검"),
        ({"kind": "answer", "status": 500, "body": {"msg_cd": "EGW00201"}}, 500, "EGW00201"),
    ],
)
def test_faults_take_the_place_of_any_answer(
    stage: Stage, fault: dict[str, Any], status: int, body: str
) -> None:
    for payload in (PAYLOAD, b"PK\x03\x04", "<html></html>"):
        response = spoiled(stage, payload, **fault)
        assert response.status_code == status
        assert body in bytes(response.body).decode()


def test_faults_of_bytes_work_on_files_and_pages(stage: Stage) -> None:
    assert spoiled(stage, b"PK\x03\x04", kind="truncate").body == b"PK"
    page = spoiled(stage, "<td>유동주식수</td>", kind="cp949")
    assert bytes(page.body).decode("cp949") == "<td>유동주식수</td>"
    assert page.headers["content-type"] == "text/html; charset=utf-8", "which is now untrue"
    with pytest.raises(ValueError, match="needs records"):
        spoiled(stage, b"PK\x03\x04", kind="half")


def test_a_fault_waits_and_finds_a_query_or_a_topic(stage: Stage) -> None:
    stage.faults.append(Fault(path="MDCSTAT01501", kind="block", after=2))

    def screens() -> int:
        return stage.answer(asked("/portal"), PAYLOAD, topic="MDCSTAT01501").status_code

    assert [screens() for _ in range(4)] == [200, 200, 403, 200]
    stage.faults.append(Fault(path="day=20260506", kind="logout"))
    assert stage.answer(asked(query="day=20260504"), PAYLOAD).status_code == 200
    assert stage.answer(asked(query="day=20260506"), PAYLOAD).status_code == 400


def test_an_unknown_fault_is_refused(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="one of quota"):
        simulator.plant_fault(path="/", kind="earthquake")


def test_rates_are_told_by_vendor(simulator: Simulator) -> None:
    simulator.forget_requests()
    url = f"{simulator.environment['KRX_OPENAPI_BASE_URL']}/svc/apis/sto/stk_bydd_trd"
    key = {"auth_key": simulator.environment["KRX_OPENAPI_KEY"]}
    for _ in range(5):
        requests.get(url, params={"basDd": "20260506"}, headers=key, timeout=10).raise_for_status()
    time.sleep(1.1)
    requests.get(url, headers=key, timeout=10)
    rates = simulator.rates()
    assert set(rates) == {"/krx-openapi"}
    assert (rates["/krx-openapi"]["requests"], rates["/krx-openapi"]["peak_per_second"]) == (6, 5)
    assert simulator.requests()["/krx-openapi/svc/apis/sto/stk_bydd_trd"] == 6
