"""Daily bars and net asset values of exchange traded funds: from each source that tells them, beside the stocks."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

import pytest

from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database

FIRST, LAST = date(2026, 5, 11), date(2026, 5, 15)
DAYS = ("--from", str(FIRST), "--to", str(LAST))
FUNDS = [etf.code for etf in market(SEED).etfs]
BARS = (
    "select stock_code, time, open_price, high_price, low_price, close_price, base_price, volume, trading_value"
    " from marts.ohlcv_daily where stock_code = any(array['993010', '993020', '9930A0'])"
)


def expected() -> set[tuple[object, ...]]:
    """What the market says of its funds."""
    return {
        (etf.code, day, bar.open, bar.high, bar.low, bar.close, bar.base, bar.volume, bar.value)
        for etf in market(SEED).etfs
        for day, bar in etf.bars.items()
        if FIRST <= day <= LAST
    }


def load(database: Database, source: str, *options: str, **environment: str) -> str:
    """Load from one source with success; returns what it said."""
    run = database.loaders("load", "--strict", "--source", source, *options, **environment)
    assert run.returncode == 0, run.stderr
    return run.stderr


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    """Stocks and funds of a week from Infomax."""
    database = new_database(sample=True)
    load(database, "infomax", "--dataset", "stocks", **simulator.environment)
    load(database, "infomax", "--dataset", "ohlcv_daily", *DAYS, **simulator.environment)
    built = database.build(
        "market_cap_daily", "ohlcv_daily_adjusted", "int_stocks__priced_states", "warned_rows"
    )
    assert built.returncode == 0, built.stdout
    return database


@pytest.fixture
def exchange(new_database: Callable[..., Database], simulator: Simulator) -> Iterator[Database]:
    database = new_database(sample=True)
    # the exchange's own lists name no fund: the broker's file does
    load(database, "kis", "--dataset", "stocks", **simulator.environment)
    yield database
    simulator.clear_faults()


def test_a_fund_s_bar_is_what_the_market_says(warehouse: Database) -> None:
    assert len(expected()) == len(FUNDS) * 5
    assert set(warehouse.rows(BARS)) == expected()
    assert set(
        warehouse.rows(
            "select stock_code, time, market_cap from marts.market_cap_daily"
            " where stock_code in (select stock_code from marts.stocks where security_type = 'ETF')"
        )
    ) == {
        (etf.code, day, bar.market_cap)
        for etf in market(SEED).etfs
        for day, bar in etf.bars.items()
        if FIRST <= day <= LAST
    }
    assert warehouse.rows(
        "select count(*), count(distinct stock_code) from marts.ohlcv_daily_adjusted"
        " where close_price is not null and stock_code like '9930%'"
    ) == [(len(expected()), len(FUNDS))]


def test_a_fund_is_no_stock_of_its_market(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*) from intermediate.int_stocks__priced_states where stock_code like '9930%'"
    ) == [(0,)]
    assert warehouse.rows(
        "select count(*) from quality.warned_rows where stock_code like '9930%'"
        " and rule_id in ('PRICE_OFF_TICK', 'PRICE_BEYOND_LIMIT')"
    ) == [(0,)]


@pytest.mark.parametrize("way", ["open api", "portal"])
def test_the_exchange_tells_funds_too(exchange: Database, simulator: Simulator, way: str) -> None:
    environment = dict(simulator.environment)
    if way == "portal":
        del environment["KRX_OPENAPI_KEY"]
    # a second way, which takes part when its scope is named
    named = ("--scope", "ETF") if way == "portal" else ()
    load(exchange, "krx", "--dataset", "ohlcv_daily", *named, *DAYS, **environment)
    built = exchange.build("ohlcv_daily", "market_cap_daily", "etf_daily")
    assert built.returncode == 0, built.stdout
    assert set(exchange.rows(BARS)) == expected()
    assert set(
        exchange.rows(
            "select stock_code, time, net_asset_value, net_assets, close_price, round(disparity_rate, 2),"
            " underlying_index, underlying_level from marts.etf_daily"
        )
    ) == {
        (
            etf.code, day, (nav := etf.nav(day)), etf.net_asset(day), bar.close,
            (100 * (bar.close / nav - 1)).quantize(Decimal("0.01")), etf.underlying_index, index and index.close,
        )
        for etf in market(SEED).etfs
        for day, bar in etf.bars.items()
        if FIRST <= day <= LAST
        for index in [market(SEED).underlying_bar(etf, day)]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"respMsg": "Unauthorized API Call", "respCode": "401"}),
        (200, {"respMsg": "Unauthorized API Call", "respCode": "401"}),
        (404, {"respMsg": "[svc/apis/etp/etf_bydd_trd] API referenced by the path does not exist.", "respCode": "404"}),
        (404, "not found"),
    ],
)  # fmt: skip
def test_a_key_that_was_not_applied_for_funds_costs_nothing_else(
    exchange: Database, simulator_without_portal: Simulator, status: int, body: object
) -> None:
    simulator_without_portal.plant_fault(
        path="etf_bydd_trd", kind="answer", status=status, body=body, times=50
    )
    said = load(
        exchange, "krx", "--dataset", "ohlcv_daily", *DAYS, **simulator_without_portal.environment
    )
    assert said.count("service skipped") == 1
    assert ("ETF 일별매매정보" in said) == (status != 404)
    assert exchange.rows("select scope, count(*) from raw.fetch_cells where dataset = 'ohlcv_daily' group by 1 order by 1") == [
        ("KONEX", 5), ("KOSDAQ", 5), ("KOSPI", 5),
    ]  # fmt: skip
    said = load(
        exchange, "krx", "--dataset", "index_daily", *DAYS, **simulator_without_portal.environment
    )
    assert "collected" in said


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("TDD_CLSPRC", "required field TDD_CLSPRC is missing"),
        ("NAV", "no record tells a net asset value (NAV)"),
    ],
)
def test_funds_that_fail_leave_the_stocks_alone(
    exchange: Database, simulator_without_portal: Simulator, field: str, words: str
) -> None:
    simulator_without_portal.plant_fault(path="etf_bydd_trd", kind="rename", field=field, times=50)
    run = exchange.loaders(
        "load",
        "--source",
        "krx",
        "--dataset",
        "ohlcv_daily",
        *DAYS,
        **simulator_without_portal.environment,
    )
    assert run.returncode == 0, run.stderr
    assert words in run.stderr
    assert exchange.rows(
        "select scope, status, count(*) from raw.fetch_cells where dataset = 'ohlcv_daily' group by 1, 2 order by 1"
    ) == [
        ("ETF", "FAILED", 5), ("KONEX", "SUCCESS", 5), ("KOSDAQ", "SUCCESS", 5), ("KOSPI", "SUCCESS", 5),
    ]  # fmt: skip


def test_a_fund_that_no_list_names_is_a_fund_all_the_same(
    new_database: Callable[..., Database], simulator_without_portal: Simulator
) -> None:
    database = new_database(sample=True)
    for dataset in ("stocks", "ohlcv_daily"):
        load(database, "krx", "--dataset", dataset, *DAYS, **simulator_without_portal.environment)
    built = database.build(
        "ohlcv_daily", "market_cap_daily", "adjustment_factors", "stock_universe_daily"
    )
    assert built.returncode == 0, built.stdout
    assert database.rows(
        "select stock_code, market, security_type, is_active from marts.stocks where stock_code like '9930%' order by 1"
    ) == [(code, "KOSPI", "ETF", True) for code in sorted(FUNDS)]
    # what it pays out is neither a reset nor shares that were split off
    assert database.rows(
        "select count(*) from marts.adjustment_factors"
        " where stock_code like '9930%' and factor <> 1 and kind <> 'DISTRIBUTION'"
    ) == [(0,)]
    # and it was one on the evening of each day, before any list
    assert set(
        database.rows(
            "select stock_code, valid_from, market, security_type, known_basis from marts.stocks_history"
            " where stock_code like '9930%' and known_to is null"
        )
    ) == {(code, FIRST, "KOSPI", "ETF", "PUBLISHED") for code in FUNDS}
    assert set(
        database.rows(
            "select stock_code, time, market, security_type, close_price, upper_limit_price"
            " from marts.stock_universe_daily where stock_code like '9930%'"
        )
    ) == {(code, day, "KOSPI", "ETF", close, None) for code, day, *_, close, _, _, _ in expected()}
