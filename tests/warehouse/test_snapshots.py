"""The snapshots go by business date: many dates at once give the rows of one run a day, and what must be refused is.

The first tests are one story and run in its order. Each day of it is what became known on that day.
"""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.warehouse.snapshot_project import SnapshotProject

STOCK = {"segment": "KOSPI", "security_type": "COMMON_STOCK"}
POSCO_DX, CELLTRION, LNF, SAMSUNG = "022100", "091990", "066970", "005930"


def stock(
    code: str,
    name: str,
    market: str,
    shares: int,
    day: str,
    at: str = "16:00",
    *,
    gone: bool = False,
) -> Callable[[SnapshotProject], None]:
    """A word about a stock, for a day of the story."""

    def tell(project: SnapshotProject) -> None:
        project.say(
            "stocks", f"2024-01-{day} {at}", is_there=not gone, stock_code=code, stock_name=name, market=market,
            listed_shares=shares, state_date=f"2024-01-{day}", **STOCK,
        )  # fmt: skip

    return tell


def said(
    table: str, day: str, *, is_there: bool = True, **values: object
) -> Callable[[SnapshotProject], None]:
    """A word about anything else."""
    return lambda project: project.say(table, f"2024-01-{day} 16:00", is_there=is_there, **values)


def float_of(code: str, shares: int, day: str) -> Callable[[SnapshotProject], None]:
    return said(
        "floating_shares", day, stock_code=code, base_date=f"2024-01-{day}", total_shares=1000,
        floating_shares=shares, floating_ratio=shares / 10,
    )  # fmt: skip


def member(code: str, day: str, *, is_there: bool = True) -> Callable[[SnapshotProject], None]:
    return said(
        "index_components", day, is_there=is_there, index_name="KOSPI200", stock_code=code,
        effective_date=f"2024-01-{day}",
    )  # fmt: skip


def sector(code: str, number: int, day: str) -> Callable[[SnapshotProject], None]:
    return said("stock_sectors", day, classification="KRX", stock_code=code, sector_id=number)


# what became known on each day; the 6th, 7th, 13th and 14th are a weekend
DAYS: dict[str, list[Callable[[SnapshotProject], None]]] = {
    "02": [
        stock(SAMSUNG, "삼성전자", "KOSPI", 5969, "02"),
        stock(POSCO_DX, "포스코DX", "KOSDAQ", 152, "02"),
        stock(CELLTRION, "셀트리온헬스케어", "KOSDAQ", 164, "02"),
        stock(LNF, "엘앤에프", "KOSDAQ", 36, "02"),
        sector(SAMSUNG, 13, "02"), member(SAMSUNG, "02"), member(LNF, "02"), float_of(SAMSUNG, 740, "02"),
    ],
    "03": [stock(POSCO_DX, "포스코DX", "KOSPI", 152, "03")],
    "04": [],
    "05": [stock(CELLTRION, "셀트리온헬스케어", "KOSDAQ", 164, "05", gone=True)],
    "08": [stock(LNF, "엘앤에프", "KOSDAQ", 360, "08"), float_of(SAMSUNG, 740, "08")],
    "09": [sector(SAMSUNG, 14, "09")],
    # the list of the 8th was wrong, and is corrected two days later
    "10": [stock(LNF, "엘앤에프", "KOSDAQ", 36, "10")],
    # three days without a run: the files of these days are dated, and come on the 16th
    "11": [member(LNF, "11", is_there=False)],
    "12": [stock(LNF, "엘앤에프", "KOSPI", 36, "12"), float_of(SAMSUNG, 750, "12")],
    "15": [],
    "16": [member(LNF, "16")],
    # another company under the code of one that is gone
    "17": [stock(CELLTRION, "새 회사", "KOSDAQ", 10, "17"), stock(SAMSUNG, "삼성전자", "KOSPI", 6000, "17")],
    "18": [float_of(SAMSUNG, 760, "18"), member(SAMSUNG, "18", is_there=False)],
    "19": [],
}  # fmt: skip
# a second answer in the evening of the 17th: the shares are as before, the new company has another name, and one is gone
EVENING = [
    stock(SAMSUNG, "삼성전자", "KOSPI", 5969, "17", "19:00"),
    stock(CELLTRION, "새회사", "KOSDAQ", 10, "17", "19:00"),
    stock(POSCO_DX, "포스코DX", "KOSPI", 152, "17", "19:00", gone=True),
]
HISTORY = {
    "snap_stocks": [
        (SAMSUNG, "삼성전자", "KOSPI", 13, 5969, "2024-01-02", "2024-01-09"),
        (SAMSUNG, "삼성전자", "KOSPI", 14, 5969, "2024-01-09", None),
        (POSCO_DX, "포스코DX", "KOSDAQ", None, 152, "2024-01-02", "2024-01-03"),
        (POSCO_DX, "포스코DX", "KOSPI", None, 152, "2024-01-03", "2024-01-17"),
        (LNF, "엘앤에프", "KOSDAQ", None, 36, "2024-01-02", "2024-01-08"),
        (LNF, "엘앤에프", "KOSDAQ", None, 360, "2024-01-08", "2024-01-10"),
        (LNF, "엘앤에프", "KOSDAQ", None, 36, "2024-01-10", "2024-01-12"),
        (LNF, "엘앤에프", "KOSPI", None, 36, "2024-01-12", None),
        (CELLTRION, "새회사", "KOSDAQ", None, 10, "2024-01-17", None),
        (CELLTRION, "셀트리온헬스케어", "KOSDAQ", None, 164, "2024-01-02", "2024-01-05"),
    ],
    "snap_index_components": [
        ("KOSPI200", SAMSUNG, "2024-01-02", "2024-01-02", "2024-01-18"),
        ("KOSPI200", LNF, "2024-01-02", "2024-01-02", "2024-01-11"),
        ("KOSPI200", LNF, "2024-01-16", "2024-01-16", None),
    ],
    # the base date of the 8th with the same float is no new version
    "snap_floating_shares": [
        (SAMSUNG, "2024-01-02", 740, "2024-01-02", "2024-01-12"),
        (SAMSUNG, "2024-01-12", 750, "2024-01-12", "2024-01-18"),
        (SAMSUNG, "2024-01-18", 760, "2024-01-18", None),
    ],
}  # fmt: skip
OUTAGE = ("11", "12", "15", "16")


def happens(project: SnapshotProject, *days: str, at: str = "16:05") -> None:
    """Everything that became known on some days, and the ledger's word that the answers came."""
    for day in days:
        for word in DAYS[day]:
            word(project)
        project.answer(f"2024-01-{day}", f"2024-01-{day} {at}")


def evening(project: SnapshotProject) -> None:
    for word in EVENING:
        word(project)
    project.answer("2024-01-17", "2024-01-17 19:05", dataset="stocks")


@pytest.fixture(scope="module")
def project(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> SnapshotProject:
    """Grows day by day."""
    folder = tmp_path_factory.mktemp("snapshots") / "project"
    return SnapshotProject.write(folder, new_database())


@pytest.fixture(scope="module")
def replayed(project: SnapshotProject, new_database: Callable[..., Database]) -> SnapshotProject:
    """The same project on a database to which everything has happened before the first run."""
    other = project.on(new_database())
    happens(other, *DAYS)
    evening(other)
    return other


def test_one_run_a_day_takes_the_date_that_waits(project: SnapshotProject) -> None:
    for day in ("02", "03", "04", "05", "08", "09", "10"):
        happens(project, day)
        project.build()
        assert project.database.rows(
            "select distinct business_date::text from ops.snapshot_progress"
        ) == [(f"2024-01-{day}",)]


def test_a_build_without_a_new_answer_writes_nothing(project: SnapshotProject) -> None:
    rows = (
        "select ctid::text, xmin::text from snapshots.snap_stocks"
        " union all select ctid::text, xmin::text from ops.snapshot_progress order by 1, 2"
    )
    before = project.database.rows(rows)
    assert "replay-snapshots" not in project.build()
    assert project.database.rows(rows) == before


def test_when_more_dates_wait_none_is_taken_and_the_command_that_is_named_takes_them(
    project: SnapshotProject,
) -> None:
    happens(project, *OUTAGE)
    before = project.everything()
    said = project.build()
    command = "make replay-snapshots FROM=2024-01-11 TO=2024-01-16"
    assert f"4 business dates wait for their snapshots, and none was taken: run {command}" in said
    assert project.everything() == before
    assert project.database.rows(
        "select snapshot_name, waiting_count, command from quality.snapshot_dates_waiting order by 1"
    ) == [
        (name, 4, command)
        for name in ("snap_floating_shares", "snap_index_components", "snap_stocks")
    ]
    assert project.database.rows(
        "select table_name, issue_count from quality.dbt_test_results where status <> 'pass'"
    ) == [("snapshot_dates_waiting", 3)]
    project.build(**{"from": "2024-01-11", "to": "2024-01-16"})
    assert project.database.rows(
        "select sum(waiting_count) from quality.snapshot_dates_waiting"
    ) == [(0,)]


def test_the_newest_date_is_taken_again_with_the_answers_of_the_evening(
    project: SnapshotProject,
) -> None:
    happens(project, "17")
    project.build()
    evening(project)
    project.build()
    for day in ("18", "19"):
        happens(project, day)
        project.build()
    assert project.history() == HISTORY


def test_all_dates_at_once_give_the_rows_of_one_run_a_day(
    project: SnapshotProject, replayed: SnapshotProject
) -> None:
    assert "snap_stocks: 14 business dates from 2024-01-02 to 2024-01-19, 8 of them" in (
        replayed.build(**{"from": "2024-01-02"})
    )
    assert replayed.history() == HISTORY
    # dbt's own columns too
    assert replayed.everything() == project.everything()


def test_a_rebuild_from_raw_gives_the_same_rows(project: SnapshotProject) -> None:
    before = project.everything()
    with project.database.connect() as connection:
        connection.execute("update snapshots.snap_stocks set stock_name = 'wrong'")
        connection.execute("create view public.outside as select * from snapshots.snap_stocks")
    project.build(rebuild="1")
    assert project.everything() == before
    # a view on it is still there, and the side schema is empty
    assert project.database.rows("select count(*) from public.outside") == [(10,)]
    assert project.database.rows(
        "select count(*) from pg_tables where schemaname = 'snapshots_rebuilt'"
    ) == [(0,)]


@pytest.mark.parametrize(
    ("replay", "complaint"),
    [
        ({"from": "2024-01-18"}, "FROM=2024-01-18 is older than 2024-01-19, the newest date taken"),
        ({"from": "2024-02-31"}, "FROM=2024-02-31 is no date: write it as YYYY-MM-DD"),
        ({"to": "tomorrow"}, "TO=tomorrow is no date: write it as YYYY-MM-DD"),
        ({"to": "2999-01-01"}, "TO=2999-01-01 lies in the future"),
        ({"from": "2024-01-24", "to": "2024-01-23"}, "TO=2024-01-23 lies before FROM=2024-01-24"),
        ({"from": "2024-01-24"}, "FROM=2024-01-24 would leave out 2024-01-22"),
        ({"from": "2024-01-22"}, "test stocks ALL of 2024-01-23 is FAILED"),
    ],
)  # fmt: skip
def test_what_must_not_be_taken_is_refused_in_a_line_and_changes_nothing(
    project: SnapshotProject, replay: dict[str, str], complaint: str
) -> None:
    if project.database.rows("select max(collection_date)::text from raw.fetch_cells") == [("2024-01-19",)]:  # fmt: skip
        for day in ("22", "24"):
            project.answer(f"2024-01-{day}", f"2024-01-{day} 16:05")
        project.answer("2024-01-23", "2024-01-23 16:05", "FAILED", dataset="stocks")
    before = [row for row in project.everything() if "snap_" not in str(row)]
    stocks = "select * from snapshots.snap_stocks order by version_id"
    rows = project.database.rows(stocks)
    refused = project.dbt(**replay)
    assert refused.returncode != 0
    assert [line for line in refused.stdout.splitlines() if complaint in line], refused.stdout
    assert project.database.rows(stocks) == rows
    assert [row for row in project.everything() if "snap_" not in str(row)] == before


def test_a_missing_answer_holds_its_own_snapshot_back_until_it_comes(
    project: SnapshotProject,
) -> None:
    reached = "select snapshot_name, business_date::text from ops.snapshot_progress order by 1"
    assert project.database.rows(reached) == [
        ("snap_floating_shares", "2024-01-24"),
        ("snap_index_components", "2024-01-24"),
        ("snap_stocks", "2024-01-19"),
    ]
    project.answer("2024-01-23", "2024-01-24 18:00", dataset="stocks")
    project.build(**{"from": "2024-01-22", "to": "2024-01-24"})
    assert {day for _, day in project.database.rows(reached)} == {"2024-01-24"}


def test_an_incomplete_date_that_waits_alone_is_said_and_fails_no_build(
    project: SnapshotProject,
) -> None:
    project.answer("2024-01-25", "2024-01-25 16:05")
    project.answer("2024-01-25", "2024-01-25 16:06", "PARTIAL", dataset="sectors")
    said = project.build()
    assert "snap_stocks does not take 2024-01-25, an answer of that day is missing" in said
    assert "test sectors ALL of 2024-01-25 is PARTIAL" in said
    project.build(accept_incomplete="1")
    assert project.database.rows(
        "select distinct business_date::text from ops.snapshot_progress"
    ) == [("2024-01-25",)]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dbt_project.yml", "+hard_deletes: invalidate", "+hard_deletes: ignore"),
        ("macros/snapshots/business_date.sql", "'infinity')::date + 1)", "'infinity')::date)"),
        ("macros/snapshots/snapshot.sql", "set known_to = null where known_to", "set known_to = null where known_from"),
        ("macros/snapshots/snapshot.sql", "for day in plan.days", "for day in plan.days[::2]"),
    ],
)  # fmt: skip
def test_these_tests_see_a_snapshot_that_is_broken(
    project: SnapshotProject, new_database: Callable[..., Database], tmp_path: Path,
    file: str, old: str, new: str,
) -> None:  # fmt: skip
    folder = tmp_path / "broken"
    shutil.copytree(project.folder, folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    broken = dataclasses.replace(project, folder=folder).on(new_database())
    happens(broken, *(day for day in DAYS if day <= "17"))
    broken.build(to="2024-01-17")
    evening(broken)
    happens(broken, "18", "19")
    broken.build(to="2024-01-19")
    assert broken.history() != HISTORY
