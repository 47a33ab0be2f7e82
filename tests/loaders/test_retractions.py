"""Taking an answer back, as the ledger and the next load see it."""

from collections.abc import Callable

import pytest

from sandbox.simulator.server import Simulator
from tests.conftest import Database

DAY = ("--from", "2026-05-15", "--to", "2026-05-15")


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database(sample=True)


def load(
    database: Database, simulator: Simulator, source: str, dataset: str, *more: str
) -> list[tuple[object, ...]]:
    """Load one stock and day; statuses of the newest attempt, by dataset."""
    database.loaders(
        *("load", "--source", source, "--dataset", dataset, "--scope", "990010", *DAY, *more),
        **simulator.environment,
    )
    return database.rows(
        "select distinct dataset, status from raw.fetch_cells where attempt_id ="
        " (select max(attempt_id) from raw.fetch_cells) order by 1"
    )


def fetches(database: Database, dataset: str) -> list[int]:
    """Answers that the dataset's cells rest on, retracted ones left out."""
    return [
        int(str(fetch_id))
        for (fetch_id,) in database.rows(
            f"select distinct fetch_id from raw.fetch_cells where dataset = '{dataset}'"
            " and status in ('SUCCESS', 'UNCHANGED')"
            " and attempt_id not in (select attempt_id from raw.retracted_attempts) order by 1"
        )
    ]


def test_one_page_takes_all_pages_with_it_and_the_cell_is_missing_again(
    database: Database, simulator: Simulator
) -> None:
    assert load(database, simulator, "kis", "ohlcv_minute") == [("ohlcv_minute", "SUCCESS")]
    pages = fetches(database, "ohlcv_minute")
    assert len(pages) > 1
    assert load(database, simulator, "kis", "ohlcv_minute", "--refresh") == [
        ("ohlcv_minute", "UNCHANGED")
    ]
    done = database.loaders("retract", str(pages[1]), "--reason", "a page of another day")
    assert done.returncode == 0, done.stderr
    assert fetches(database, "ohlcv_minute") == []
    # a plain load asks again, and the same page is not believed again
    assert load(database, simulator, "kis", "ohlcv_minute") == [("ohlcv_minute", "FAILED")]
    undone = database.loaders("retract", str(pages[1]), "--undo", "--reason", "it was right")
    assert undone.returncode == 0, undone.stderr
    assert fetches(database, "ohlcv_minute") == pages
    assert load(database, simulator, "kis", "ohlcv_minute", "--refresh") == [
        ("ohlcv_minute", "UNCHANGED")
    ]


def test_an_answer_that_serves_two_datasets_leaves_both(
    database: Database, simulator: Simulator
) -> None:
    both = ("ohlcv_daily", "market_cap_daily")
    assert load(database, simulator, "infomax", "ohlcv_daily") == [
        (dataset, "SUCCESS") for dataset in sorted(both)
    ]
    (fetch_id,) = fetches(database, "ohlcv_daily")
    assert database.loaders("retract", str(fetch_id), "--reason", "stale").returncode == 0
    assert fetches(database, "ohlcv_daily") == fetches(database, "market_cap_daily") == []
    reached = "select dataset, status, error from raw.fetch_cells where status = 'RETRACTED' and fetch_id = {}"
    assert sorted(database.rows(reached.format(fetch_id))) == [
        (dataset, "RETRACTED", "stale") for dataset in sorted(both)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("999999", "--reason", "no such answer"), "there is no fetch 999999"),
        (("{retracted}", "--reason", "again"), "is retracted already"),
        (("{standing}", "--undo", "--reason", "never was"), "is not retracted"),
        (("{failed}", "--reason", "of no use anyway"), "nothing rests on fetch"),
        (("{standing}", "--reason", " "), "needs a reason"),
    ],
)
def test_what_cannot_be_retracted_is_wrong_use_and_changes_nothing(
    database: Database, arguments: tuple[str, ...], message: str
) -> None:
    ((retracted, standing, failed),) = database.rows(
        "select (select max(fetch_id) from raw.retracted_fetches),"
        " (select max(fetch_id) from raw.fetch_cells where status = 'UNCHANGED'),"
        " (select max(fetch_id) from raw.fetch_cells where status = 'FAILED')"
    )
    cells = "select count(*) from raw.fetch_cells"
    before = database.rows(cells)
    named = [
        argument.format(retracted=retracted, standing=standing, failed=failed)
        for argument in arguments
    ]
    refused = database.loaders("retract", *named)
    assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    assert database.rows(cells) == before
