"""Floats and flows of the sample market from WICS, FnGuide and Kiwoom to the marts, against the market itself."""

from collections.abc import Callable
from datetime import date

import pytest

from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database

DAY, WICS_DAY = date(2026, 10, 8), date(2026, 10, 7)
SIGNED = "990130"
"""Asked for at every source."""


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    database = new_database(sample=True)
    unlisted = next(s.code for s in market(SEED).listed(DAY) if s.float_ratio and not s.wics)
    days = ("--from", "2026-10-07", "--to", "2026-10-08")
    loads = [
        ("--source", "krx"),
        ("--source", "wics"),
        ("--source", "fnguide", "--scope", unlisted),
        ("--source", "kiwoom", "--dataset", "stocks"),
        ("--source", "kiwoom", "--dataset", "floating_shares", "--scope", SIGNED),
        ("--source", "kiwoom", "--dataset", "investor_trading", "--scope", SIGNED),
    ]
    for arguments in loads:
        run = database.loaders("load", *arguments, *days, **simulator.environment)
        assert run.returncode == 0, run.stderr
    built = database.build("floating_shares", "investor_trading", "stock_sectors")
    assert built.returncode == 0, built.stdout
    return database


def test_every_float_is_what_the_market_says(warehouse: Database) -> None:
    found = set(
        warehouse.rows(
            "select stock_code, base_date, floating_shares, total_shares from marts.floating_shares"
            " where source = 'wics'"
        )
    )
    assert found == {
        (stock.code, WICS_DAY, stock.float_shares_on(WICS_DAY), stock.shares_on(WICS_DAY))
        for stock in market(SEED).listed(WICS_DAY)
        if stock.wics_on(WICS_DAY) and stock.float_shares_on(WICS_DAY)
    }


def test_a_page_speaks_for_the_day_that_it_shows(warehouse: Database) -> None:
    ((code, base_date, floating, total),) = warehouse.rows(
        "select stock_code, base_date, floating_shares, total_shares from marts.floating_shares"
        " where source = 'fnguide'"
    )
    stock = market(SEED).by_code(str(code))
    assert stock
    assert (base_date, floating, total) == (
        DAY, stock.float_shares_on(DAY), stock.shares_on(DAY)
    )  # fmt: skip


def test_thousands_become_shares(warehouse: Database) -> None:
    ((floating, total),) = warehouse.rows(
        "select floating_shares, total_shares from marts.floating_shares where source = 'kiwoom'"
    )
    stock = market(SEED).by_code(SIGNED)
    assert stock
    assert abs(int(str(floating)) - (stock.float_shares_on(DAY) or 0)) <= 500
    assert abs(int(str(total)) - stock.shares_on(DAY)) <= 500


def test_six_calls_become_the_flows_of_a_stock(warehouse: Database) -> None:
    stock = market(SEED).by_code(SIGNED)
    assert stock
    found = warehouse.rows(
        "select investor_type, buy_volume, sell_volume, buy_value from marts.investor_trading"
        f" where stock_code = '{SIGNED}' and time = '{DAY}'"
    )
    flows = stock.flows[DAY]
    by_type = {kind: (bought, sold, value) for kind, bought, sold, value in found}
    assert by_type["RETAIL"][:2] == flows["개인"][:2]
    assert by_type["PENSION"][:2] == flows["연기금 등"][:2]
    assert by_type["FOREIGN"][0] == flows["외국인"][0] + flows["기타외국인"][0]
    # million won
    assert abs(int(str(by_type["RETAIL"][2])) - flows["개인"][2]) <= 500_000


def test_wics_is_the_second_classification(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*) from marts.stock_sectors where classification = 'WICS'"
    ) == [
        (
            sum(
                1
                for stock in market(SEED).listed(WICS_DAY)
                if stock.wics_on(WICS_DAY) and stock.float_shares_on(WICS_DAY)
            ),
        )
    ]
