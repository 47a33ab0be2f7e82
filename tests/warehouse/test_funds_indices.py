"""Index levels, foreign ownership and fund portfolios of the sample market, from HTTP to the marts."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database

FIRST, LAST = "2026-05-11", "2026-05-15"
DAYS = ("--from", FIRST, "--to", LAST)
DATASETS = (
    ("infomax", "stocks"), ("infomax", "delisted_stocks"), ("infomax", "ohlcv_daily"), ("infomax", "market_rank_check"),
    ("infomax", "investor_trading"),
    ("infomax", "foreign_ownership_daily"), ("infomax", "etf_portfolios"), ("infomax", "index_components"),
    ("infomax", "index_list"), ("infomax", "index_daily"), ("krx", "index_daily"),
)  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    database = new_database(sample=True)
    for source, dataset in DATASETS:
        loaded = database.loaders(
            *("load", "--strict", "--source", source, "--dataset", dataset, *DAYS),
            **simulator.environment,
        )
        assert loaded.returncode == 0, f"{source} {dataset}: {loaded.stderr}"
    built = database.build(
        "stocks", "ohlcv_daily", "index_daily", "foreign_ownership_daily", "etf_portfolios", "ranking_comparison",
        "investor_total_placement", "etf_portfolio_totals", "rejected_rows", "staging.infomax",
    )  # fmt: skip

    assert built.returncode == 0, built.stdout
    return database


def test_an_index_level_is_what_the_market_says(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select time, index_name, open, high, low, close, volume, trading_value, market_cap, source"
        " from marts.index_daily where index_name <> 'KRX300'"
    )
    expected = {
        (day, name): (bar.open, bar.high, bar.low, bar.close)
        for name in ("KOSPI", "KOSPI200", "KOSDAQ", "KOSDAQ150")
        for day, bar in market(SEED).index_bars(name).items()
        if FIRST <= str(day) <= LAST
    }
    assert {(day, name): tuple(levels) for day, name, *levels, _, _, _, _ in rows} == expected
    for day, name, *_, volume, value, cap, source in rows:
        bar = market(SEED).index_bars(str(name))[day]  # type: ignore[index]
        assert source == "infomax"
        # thousand shares and million won at the vendor, cut
        assert 0 <= bar.volume - int(str(volume)) < 1_000
        assert 0 <= bar.value - int(str(value)) < 1_000_000
        assert 0 <= bar.market_cap - int(str(cap)) < 1_000_000


def test_an_index_that_one_vendor_lacks_comes_from_the_other(warehouse: Database) -> None:
    assert warehouse.rows(
        "select source, count(*) from marts.index_daily where index_name = 'KRX300' group by source"
    ) == [("krx", 5)]


def test_foreign_ownership_is_what_the_market_says(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select time, stock_code, owned_shares, ownership_ratio, limit_ratio from marts.foreign_ownership_daily"
    )
    expected = {
        (day, stock.code): (held.shares, held.ratio, held.limit_ratio)
        for stock in market(SEED).stocks
        if stock.market != "KONEX"
        for day, held in stock.foreign.items()
        if FIRST <= str(day) <= LAST
    }
    found = {
        (day, code): (owned, float(str(ratio)), float(str(limit)))
        for day, code, owned, ratio, limit in rows
    }
    assert found == expected
    assert any(limit < 100 for _, _, limit in found.values()), "some limit must be tested"


def test_a_portfolio_holds_every_line_by_its_type(warehouse: Database) -> None:
    friday = date(2026, 5, 15)
    types = {"DEPOSIT": "CASH", "CREATION_CASH": "CASH"}
    expected = {
        (etf.code, line.code): (
            types.get(line.kind, line.kind),
            line.shares or Decimal(0),
            Decimal(line.value or 0),
        )
        for etf in market(SEED).etfs
        for line in etf.holdings(friday)
    }
    rows = warehouse.rows(
        "select etf_code, component_code, component_type, shares, valuation_krw from marts.etf_portfolios"
        f" where base_date = '{friday}'"
    )
    assert {(etf, code): tuple(values) for etf, code, *values in rows} == expected
    kinds = {kind for kind, _, _ in expected.values()}
    assert kinds == {"STOCK", "CASH", "FUTURE", "BOND", "FOREIGN", "ETF"}


def test_weights_add_up_where_the_source_gives_all(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select etf_code, gives_all, weight_sum from quality.etf_portfolio_totals where base_date = '2026-05-15'"
        " order by etf_code"
    )
    assert [(code, gives_all) for code, gives_all, _ in rows] == [
        ("993010", True), ("993020", True), ("9930A0", False),
    ]  # fmt: skip
    for code, gives_all, total in rows:
        if gives_all:
            assert abs(Decimal(str(total)) - 100) < Decimal("0.0001"), code
    # the whole that a fund tells once more is no part of it
    assert warehouse.rows(
        "select component_code from marts.etf_portfolios where weight is null and base_date = '2026-05-15'"
    ) == [("CASH00000001",)]


def test_funds_stand_in_the_stock_master(warehouse: Database) -> None:
    assert warehouse.rows(
        "select stock_code, market, security_type from marts.stocks where stock_code like '9930%' order by 1"
    ) == [(code, "KOSPI", "ETF") for code in ("993010", "993020", "9930A0")]


def test_the_report_says_that_the_institution_total_holds_the_government(
    warehouse: Database,
) -> None:
    rows = warehouse.rows(
        "select source, institution_total, without_government_count, neither_count from quality.investor_total_placement"
    )
    assert rows == [("infomax", "WITH_GOVERNMENT", 0, 0)]


def test_the_ranking_agrees_with_every_bar(warehouse: Database) -> None:
    (row,) = warehouse.rows(
        "select count(*), count(*) filter (where (ranking_close_price, ranking_volume, ranking_trading_value,"
        " ranking_market_cap) = (close_price, volume, trading_value, market_cap)),"
        " (select count(*) from marts.ohlcv_daily) from quality.ranking_comparison"
    )
    assert row[0] == row[1] == row[2] > 0


def test_members_of_an_index_are_staged_by_isin(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select index_name, isin from staging.stg_infomax__index_constituents order by 1, 2"
    )
    today = date(2026, 10, 8)
    expected = [
        (name, stock.isin)
        for name in ("KOSDAQ150", "KOSPI200")
        for stock in market(SEED).index_members(name, today)
    ]
    assert rows == sorted(expected)


def test_a_component_that_lost_its_zeros_holds_the_fund_back(
    warehouse: Database, simulator: Simulator
) -> None:
    before = warehouse.rows("select count(*) from marts.etf_portfolios where etf_code <> '993020'")
    simulator.plant_fault(
        path="etf/port?code=993020",
        kind="answer",
        body={
            "success": True,
            "results": [
                {
                    "date": 20260515, "code": "993020", "etf_value": 1000, "port_isin": isin, "port_code": code,
                    "port_name": name, "port_value": value, "port_volume": 1,
                }
                for isin, code, name, value in (
                    ("KR7005930003", "5930", "삼성전자", 900), ("KRD010010001", "010010", "원화예금", 60),
                    ("KRD010010001", "010010", "원화예금", 40),
                )
            ],
        },
    )  # fmt: skip
    arguments = (
        "load", "--source", "infomax", "--dataset", "etf_portfolios", "--scope", "993020",
        "--from", LAST, "--to", LAST, "--refresh",
    )  # fmt: skip
    assert warehouse.loaders(*arguments, **simulator.environment).returncode == 0
    assert (
        warehouse.build("etf_portfolios", "etf_portfolio_totals", "rejected_rows").returncode == 0
    )
    assert warehouse.rows(
        "select stock_code, item, rule_id from quality.rejected_rows where dataset = 'etf_portfolios' order by 2, row_number"
    ) == [
        ("993020", "010010", "HELD_WITH_ITS_GROUP"), ("993020", "010010", "HELD_WITH_ITS_GROUP"),
        ("993020", "5930", "CODE_MALFORMED"),
    ]  # fmt: skip
    assert (
        warehouse.rows("select etf_code from marts.etf_portfolios where etf_code = '993020'") == []
    )
    assert (
        warehouse.rows("select count(*) from marts.etf_portfolios where etf_code <> '993020'")
        == before
    )
    simulator.clear_faults()
    assert warehouse.loaders(*arguments, **simulator.environment).returncode == 0
    assert (
        warehouse.build("etf_portfolios", "etf_portfolio_totals", "rejected_rows").returncode == 0
    )
    assert warehouse.rows("select count(*) from quality.rejected_rows") == [(0,)]
    assert warehouse.rows("select count(*) > 0 from marts.etf_portfolios where etf_code = '993020'") == [
        (True,)
    ]  # fmt: skip


def test_two_deposits_are_one_row_with_the_sum(warehouse: Database, simulator: Simulator) -> None:
    line = {"date": 20260514, "code": "993020", "etf_value": 1000, "port_isin": "KRD010010001", "port_code": "010010",
            "port_name": "원화예금", "port_volume": 0}  # fmt: skip
    share = line | {
        "port_isin": "KR7005930003",
        "port_code": "005930",
        "port_name": "삼성전자",
        "port_value": 900,
    }
    simulator.plant_fault(
        path="etf/port?code=993020",
        kind="answer",
        body={
            "success": True,
            "results": [line | {"port_value": 60}, share, line | {"port_value": 40}],
        },
    )
    loaded = warehouse.loaders(
        "load", "--source", "infomax", "--dataset", "etf_portfolios", "--scope", "993020",
        "--from", "2026-05-14", "--to", "2026-05-14", **simulator.environment,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    assert (
        warehouse.build("etf_portfolios", "etf_portfolio_totals", "rejected_rows").returncode == 0
    )
    assert warehouse.rows(
        "select component_code, weight, valuation_krw from marts.etf_portfolios where base_date = '2026-05-14' order by 1"
    ) == [("005930", Decimal("90.0000"), 900), ("010010", Decimal("10.0000"), 100)]


def test_contracts_bonds_and_cash_without_a_code_have_their_type(
    warehouse: Database, simulator: Simulator
) -> None:
    lines = (
        # code, ISIN, name, type
        ("069500", "KR7069500007", "KODEX 200", "ETF"),
        ("005935", "KR7005931001", "삼성전자우", "STOCK"),
        ("0126Z0", "KR70126Z0002", "삼성에피스홀딩스", "STOCK"),
        ("950160", "KR8840120008", "코오롱티슈진", "STOCK"),
        ("900140", "KYG5307W1015", "엘브이엠씨홀딩스", "STOCK"),
        ("300308", "CNE100003L20", "Zhongji Innolight", "FOREIGN"),
        ("AAPL US EQUITY", "US0378331005", "Apple Inc", "FOREIGN"),
        ("KR4101R60000", "KR4101R60000", "코스피200 F 202106", "FUTURE"),
        ("101R6000", "", "코스피200 F 202106", "FUTURE"),
        ("KR4201R63305", "KR4201R63305", "코스피200 C 202106 330.0", "OPTION"),
        ("KR103502GC34", "KR103502GC34", "국고01500-5003", "BOND"),
        ("KRD010010001", "KRD010010001", "원화예금", "CASH"),
        ("", "", "현금", "CASH"),
        ("USD CURNCY", "", "US Dollar", "CASH"),
        ("TRS00000X", "", "총수익스왑", "OTHER"),
    )
    rows = [
        {"date": 20260513, "code": "993020", "etf_value": 1500, "port_isin": isin, "port_code": code,
         "port_name": name, "port_value": 100, "port_volume": -3.58}
        for code, isin, name, _ in lines
    ]  # fmt: skip
    simulator.plant_fault(
        path="etf/port?code=993020", kind="answer", body={"success": True, "results": rows}
    )
    loaded = warehouse.loaders(
        "load", "--source", "infomax", "--dataset", "etf_portfolios", "--scope", "993020",
        "--from", "2026-05-13", "--to", "2026-05-13", **simulator.environment,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    assert (
        warehouse.build("etf_portfolios", "etf_portfolio_totals", "rejected_rows").returncode == 0
    )
    found = warehouse.rows(
        "select component_code, component_type, shares from marts.etf_portfolios where base_date = '2026-05-13'"
    )
    assert {(code, kind) for code, kind, _ in found} == {
        (code or name, kind) for code, _, name, kind in lines
    }
    assert {shares for *_, shares in found} == {Decimal("-3.58")}
