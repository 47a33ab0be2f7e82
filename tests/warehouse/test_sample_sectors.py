"""Sectors and index flags of the sample market, from the broker's master files through loader and dbt."""

from collections.abc import Callable
from datetime import date

import pytest

from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database

DAY = date(2026, 10, 8)
RELATIONS = (
    "stocks", "sectors", "stock_sectors", "int_index_components__kis_listed", "snapshot_dates_waiting",
    "data_quality_checks",
)  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    database = new_database(sample=True)
    lists = simulator.only("KIS_MASTER_")
    loaded = database.loaders("load", "--source", "kis", **lists.environment)
    assert loaded.returncode == 0, loaded.stderr
    built = database.build(*RELATIONS)
    assert built.returncode == 0, built.stdout
    # the lists are older than the other answers: their business dates wait for the command that walks them
    assert database.rows(
        "select distinct table_name from marts.data_quality_checks where details ->> 'status' <> 'pass'"
    ) == [("snapshot_dates_waiting",)]
    return database


def test_sectors_are_those_of_the_market(warehouse: Database) -> None:
    expected = {
        (stock.code, *(None if code == "0000" else code for code in sectors))
        for stock in market(SEED).listed(DAY)
        if (sectors := stock.krx_sectors_on(DAY))
        and stock.board_on(DAY) != "KONEX"
        and set(sectors) != {"0000"}
    }
    found = warehouse.rows(
        "select stock_code, large_sector_code, medium_sector_code, small_sector_code"
        " from marts.stock_sectors where classification = 'KRX' and base_date = '2026-10-08'"
    )
    assert set(found) == expected
    assert len(found) == len(expected) > 30


def test_the_sector_of_a_stock_is_its_deepest(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*) from marts.stock_sectors inner join marts.sectors using (sector_id)"
        " where sector_code is distinct from coalesce(small_sector_code, medium_sector_code, large_sector_code)"
    ) == [(0,)]
    assert warehouse.rows(
        "select count(*) from marts.stocks full join marts.stock_sectors using (stock_code)"
        " where stocks.sector_id is distinct from stock_sectors.sector_id"
    ) == [(0,)]


def test_members_are_those_of_the_market(warehouse: Database) -> None:
    for index_name in ("KOSPI200", "KOSDAQ150"):
        found = warehouse.rows(
            "select stock_code from intermediate.int_index_components__kis_listed"
            f" where index_name = '{index_name}' and list_date = '2026-10-08'"
        )
        expected = {stock.code for stock in market(SEED).index_members(index_name, DAY)}
        assert {code for (code,) in found} == expected


def test_a_sector_was_first_seen_when_its_answer_came(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*) from marts.sectors where created_at not in (select fetched_at from raw.fetches)"
    ) == [(0,)]


def test_a_second_build_changes_nothing(warehouse: Database) -> None:
    query = (
        "select (select md5(string_agg(s::text, '' order by sector_id)) from marts.sectors as s),"
        " (select md5(string_agg(s::text, '' order by stock_code)) from marts.stock_sectors as s),"
        " (select count(*) from intermediate.int_stock_sectors__versioned)"
    )
    before = warehouse.rows(query)
    built = warehouse.build(*RELATIONS)
    assert built.returncode == 0, built.stdout
    assert warehouse.rows(query) == before
