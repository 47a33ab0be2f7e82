"""Real members of KOSPI 200 and KOSDAQ 150 at many dates, as the exchange's site would answer, into a real database."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from loaders import calendar
from sandbox.simulator.market.rules import check_digit
from tests.conftest import Database
from tests.replayed_index_site import ReplayedIndexSite, replayed_index_site

Lists = dict[tuple[str, str], list[tuple[str, str]]]
SITE = ("load", "--source", "krx", "--dataset", "index_components")
REVIEW_OF_JUNE_2023 = date(2023, 6, 9)
"""The session after the second Thursday."""


def isin(code: str) -> str:
    """ISIN of a common stock."""
    return f"KR7{code}00{check_digit(f'KR7{code}00')}"


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def yearly(real_data: Path) -> Lists:
    lists: Lists = defaultdict(list)
    for row in read(real_data / "index_members" / "kospi200_by_year_2010_2018.csv.gz"):
        lists["KOSPI200", row["date"]].append((row["ticker"], row["name"]))
    return lists


@pytest.fixture(scope="module")
def recent(real_data: Path) -> Lists:
    lists: Lists = defaultdict(list)
    for row in read(real_data / "index_members" / "members_from_kis_mst_2022-07_2024-03.csv.gz"):
        day = date.fromisoformat(row["session"])
        if row["index"] in ("KOSPI200", "KOSDAQ150") and calendar.sessions(day, day):
            lists[row["index"], row["session"]].append((row["code"], row["name"]))
    return lists


@pytest.fixture(scope="module")
def site(yearly: Lists, recent: Lists) -> Iterator[ReplayedIndexSite]:
    with replayed_index_site() as running:
        running.members = yearly | recent
        running.changes["KOSPI200"] = [
            {
                "appl_dd": f"{REVIEW_OF_JUNE_2023:%Y/%m/%d}",
                "transschl_isu_cd": isin(entered),
                "transschl_isu_nm": entered_name,
                "excld_isu_cd": isin(left),
                "excld_isu_nm": left_name,
            }
            for (entered, entered_name), (left, left_name) in (
                (("001570", "금양"), ("006040", "동원산업")),
                (("005420", "코스모화학"), ("241590", "화승엔터프라이즈")),
            )
        ]
        yield running


@pytest.fixture(scope="module")
def warehouse(
    new_database: Callable[..., Database],
    site: ReplayedIndexSite,
    yearly: Lists,
    recent: Lists,
) -> Database:
    database = new_database()
    days = [date.fromisoformat(day) for _, day in recent]
    ranges = [(min(days), max(days))] + [(date.fromisoformat(day),) * 2 for _, day in yearly]
    for first, last in ranges:
        loaded = database.loaders(
            *SITE, "--from", str(first), "--to", str(last), **site.environment
        )
        assert loaded.returncode == 0, loaded.stderr
    built = database.build("index_components", "stocks", "warned_rows")
    assert built.returncode == 0, built.stdout
    return database


def members_on(database: Database, index_name: str, day: str) -> set[object]:
    rows = database.rows(
        f"select stock_code from marts.index_components where index_name = '{index_name}'"
        f" and effective_date <= '{day}' and (end_date is null or end_date > '{day}')"
    )
    return {code for (code,) in rows}


def test_members_equal_the_lists_on_every_day_that_has_one(
    warehouse: Database, yearly: Lists, recent: Lists
) -> None:
    lists = yearly | recent
    assert len(lists) > 40
    for (index_name, day), members in lists.items():
        expected = {code for code, _ in members}
        assert members_on(warehouse, index_name, day) == expected, (index_name, day)


def test_a_year_with_201_members_is_believed(warehouse: Database, yearly: Lists) -> None:
    days = [day for (_, day), members in yearly.items() if len(members) == 201]
    assert [day[:4] for day in days] == ["2018"]
    assert len(members_on(warehouse, "KOSPI200", days[0])) == 201


@pytest.mark.parametrize(
    ("code", "span"),
    [
        ("001570", ("2023-06-09", None)),
        ("005420", ("2023-06-09", None)),
        ("006040", (None, "2023-06-09")),
        ("241590", (None, "2023-06-09")),
    ],
)
def test_between_two_lists_the_log_has_the_day(
    warehouse: Database, code: str, span: tuple[str | None, str | None]
) -> None:
    rows = warehouse.rows(
        "select effective_date::text, end_date::text from marts.index_components"
        f" where index_name = 'KOSPI200' and stock_code = '{code}' order by 1 desc limit 1"
    )
    assert len(rows) == 1
    first, last = span
    assert rows[0][1] == last
    if first:
        assert rows[0][0] == first


def test_a_change_that_the_log_lacks_is_dated_by_the_lists_and_reported(
    warehouse: Database,
) -> None:
    # out of KOSPI 200 between the lists of 2023-03-20 and 2023-04-24, and no event here says so
    assert warehouse.rows(
        "select end_date::text from marts.index_components where stock_code = '008560' and index_name = 'KOSPI200'"
        " order by effective_date desc limit 1"
    ) == [("2023-04-24",)]
    assert warehouse.rows(
        "select source, item, trade_date::text from quality.warned_rows"
        " where rule_id = 'LIST_AND_LOG_DISAGREE' and stock_code = '008560' and trade_date >= '2023-01-01'"
    ) == [("krx", "KOSPI200", "2023-04-24")]


def test_an_index_without_a_log_begins_with_its_first_list(warehouse: Database) -> None:
    assert warehouse.rows(
        "select min(effective_date)::text from marts.index_components where index_name = 'KOSDAQ150'"
    ) == [("2022-12-06",)]


def test_names_that_only_an_index_knows_are_in_the_master(warehouse: Database) -> None:
    assert warehouse.rows(
        "select stock_name, market from marts.stocks where stock_code in ('005930', '247540') order by stock_code"
    ) == [("삼성전자", "KOSPI"), ("에코프로비엠", "KOSDAQ")]
