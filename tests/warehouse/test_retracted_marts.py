"""An answer that is taken back: marts as if it had never come, without a row of raw or ledger being lost.

The tests of this file are one story of one yearly file, and run in its order.
"""

from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.warehouse.test_revisions import BUILD, MONDAY, Publisher, all_but, bar, both_days

# the ledger's own mart and the list of runs tell of the retraction and are meant to differ
LOGS = {"data_collection_logs", "data_quality_checks"}


@pytest.fixture(scope="module")
def publisher(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Publisher:
    return Publisher(tmp_path_factory.mktemp("files"), new_database())


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, tuple[object, ...]]]:
    """Checksums of all marts, by what the database had been told."""
    return {}


def checksums(database: Database) -> dict[str, tuple[object, ...]]:
    marts = database.rows(
        "select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind in ('r', 'v', 'p')"
    )
    return {
        str(mart): database.rows(
            f"select count(*), md5(string_agg(md5(t::text), '' order by md5(t::text))) from marts.{mart} as t"
        )[0]
        for (mart,) in marts
        if mart not in LOGS
    }


def newest_fetch(database: Database) -> str:
    ((fetch_id,),) = database.rows(
        "select max(fetch_id) from raw.fetch_cells"
        f" where status = 'SUCCESS' and dataset = 'ohlcv_daily' and collection_date = '{MONDAY}'"
    )
    return str(fetch_id)


def build(database: Database) -> None:
    built = database.dbt(*BUILD)
    assert built.returncode == 0, built.stdout


def test_marts_are_as_if_the_answer_had_never_come(
    publisher: Publisher, states: dict[str, dict[str, tuple[object, ...]]]
) -> None:
    database = publisher.database
    publisher.publish(both_days(*all_but()))
    states["before"] = checksums(database)
    publisher.publish(
        both_days(bar("005930", MONDAY, Close=76_600.0, High=76_600.0), bar("000660", MONDAY))
    )
    # the vendor repeats itself: that attempt goes with the answer that it points to
    publisher.publish(
        both_days(bar("005930", MONDAY, Close=76_600.0, High=76_600.0), bar("000660", MONDAY))
    )
    states["after"] = checksums(database)
    assert states["after"] != states["before"]
    raw = "select count(*), sum(close) from raw.marcap__daily"
    rows_before = database.rows(raw)
    retracted = database.loaders("retract", newest_fetch(database), "--reason", "wrong Monday")
    assert retracted.returncode == 0, retracted.stderr
    build(database)
    assert checksums(database) == states["before"]
    assert database.rows(raw) == rows_before
    assert database.rows(
        "select data_type, collection_date::text, error_message, records_count from marts.data_collection_logs"
        " where status = 'RETRACTED' order by 1"
    ) == [
        ("market_cap_daily", MONDAY, "wrong Monday", 0),
        ("ohlcv_daily", MONDAY, "wrong Monday", 0),
    ]


def test_the_same_payload_does_not_bring_it_back(
    publisher: Publisher, states: dict[str, dict[str, tuple[object, ...]]]
) -> None:
    fetch_id = newest_fetch(publisher.database)
    publisher.publish(
        both_days(bar("005930", MONDAY, Close=76_600.0, High=76_600.0), bar("000660", MONDAY))
    )
    assert checksums(publisher.database) == states["before"]
    assert publisher.database.rows(
        "select distinct status, error ~ 'same payload as fetch "
        f"{fetch_id}, which was retracted' from raw.fetch_cells"
        f" where collection_date = '{MONDAY}' and attempt_id = (select max(attempt_id) from raw.fetch_cells"
        f" where collection_date = '{MONDAY}')"
    ) == [("FAILED", True)]


def test_undone_it_stands_again(
    publisher: Publisher, states: dict[str, dict[str, tuple[object, ...]]]
) -> None:
    fetch_id = newest_fetch(publisher.database)
    undone = publisher.database.loaders("retract", fetch_id, "--undo", "--reason", "it was right")
    assert undone.returncode == 0, undone.stderr
    build(publisher.database)
    assert checksums(publisher.database) == states["after"]
