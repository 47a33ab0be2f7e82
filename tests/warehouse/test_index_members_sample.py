"""Members of the sample market's indexes, from its site to the mart: exact dates, announcements, and no list needed between."""

from collections.abc import Callable

import pytest

from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database

MONTH = ("--from", "2026-05-20", "--to", "2026-06-19")
SITE = ("load", "--source", "krx", "--dataset", "index_components")


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    database = new_database(sample=True)
    stocks = ("load", "--source", "krx", "--dataset", "stocks", *MONTH)
    assert database.loaders(*stocks, **simulator.environment).returncode == 0
    loaded = database.loaders(*SITE, *MONTH, **simulator.environment)
    assert loaded.returncode == 0, loaded.stderr
    built = database.build("index_components", "rejected_rows", "warned_rows")
    assert built.returncode == 0, built.stdout
    return database


def members_on(database: Database, index_name: str, day: str) -> list[object]:
    rows = database.rows(
        f"select stock_code from marts.index_components where index_name = '{index_name}'"
        f" and effective_date <= '{day}' and (end_date is null or end_date > '{day}') order by 1"
    )
    return [code for (code,) in rows]


@pytest.mark.parametrize("index_name", ["KOSPI200", "KOSDAQ150"])
def test_members_are_the_markets_on_every_day(warehouse: Database, index_name: str) -> None:
    # long before the first list, and after the last one: by the log alone
    for day in market(SEED).sessions:
        expected = sorted(stock.code for stock in market(SEED).index_members(index_name, day))
        assert members_on(warehouse, index_name, str(day)) == expected, day


def test_nothing_is_rejected_and_nothing_disagrees(warehouse: Database) -> None:
    about = "where dataset in ('index_members', 'index_changes', 'index_components')"
    assert warehouse.rows(f"select * from quality.rejected_rows {about}") == []
    assert warehouse.rows(f"select * from quality.warned_rows {about}") == []


def test_spans_are_the_same_step_by_step(
    new_database: Callable[..., Database], simulator: Simulator, warehouse: Database
) -> None:
    database = new_database(sample=True)
    # out of order, and without the log until the end
    for days in (
        ("2026-06-08", "2026-06-19"),
        ("2026-05-20", "2026-05-29"),
        ("2026-06-01", "2026-06-05"),
    ):
        arguments = ("--scope", "KOSPI200", "--from", days[0], "--to", days[1])
        assert database.loaders(*SITE, *arguments, **simulator.environment).returncode == 0
        assert database.build("index_components").returncode == 0
    assert database.rows(
        "select effective_date::text, end_date::text from marts.index_components"
        " where index_name = 'KOSPI200' and stock_code in ('991010', '990100', '990040') order by 1, 2"
    ) == [("2026-05-20", "2026-06-12"), ("2026-05-20", "2026-06-12"), ("2026-06-12", None)]
    log = ("--scope", "KOSPI200:CHANGES")
    assert database.loaders(*SITE, *log, **simulator.environment).returncode == 0
    assert database.build("index_components").returncode == 0
    query = (
        "select stock_code, effective_date, end_date, announced_date, id from marts.index_components"
        " where index_name = 'KOSPI200' order by 1, 2"
    )
    assert database.rows(query) == warehouse.rows(query)
