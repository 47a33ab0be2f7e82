"""The whole project on the sample market, with and without TimescaleDB: every mart has the same rows, to the last column."""

from collections.abc import Iterator

import pytest

from sandbox.simulator.server import NOW, SEED, Simulator
from tests.conftest import Database
from tests.timescale.server import initialise, named_timescale_database
from tests.warehouse.test_manifest import models

HYPERTABLES = ["investor_trading", "market_cap_daily", "ohlcv_daily", "ohlcv_minute"]
# tells of test runs and not of the market
OF_THE_RUNS = {"data_quality_checks"}


@pytest.fixture(scope="module")
def database(simulator: Simulator) -> Iterator[Database]:
    with named_timescale_database() as database:
        initialise(database, "--sample-now", NOW, "--sample-seed", str(SEED))
        for arguments in (
            ("--source", "infomax", "--from", "2026-09-28", "--to", "2026-10-08"),
            ("--source", "krx", "--from", "2026-09-28", "--to", "2026-10-08"),
            ("--source", "kis", "--dataset", "ohlcv_minute", "--from", "2026-09-30", "--to", "2026-10-01"),
        ):  # fmt: skip
            loaded = database.loaders("load", *arguments, **simulator.environment)
            assert loaded.returncode == 0, loaded.stderr
        yield database


def checksums(database: Database) -> dict[str, tuple[object, ...]]:
    return {
        mart["name"]: database.rows(
            f"select count(*), md5(string_agg(md5(rows::text), '' order by md5(rows::text))) from marts.{mart['name']} as rows"
        )[0]
        for mart in models("marts")
        if mart["name"] not in OF_THE_RUNS
    }


def hypertables(database: Database) -> list[object]:
    return [
        name
        for (name,) in database.rows(
            "select hypertable_name from timescaledb_information.hypertables"
            " where hypertable_schema = 'marts' order by 1"
        )
    ]


AGGREGATES = (
    "investor_trading_weekly",
    "investor_trading_monthly",
    "ohlcv_weekly",
    "ohlcv_monthly",
)
# columns that look beyond the rows of a period, or change with every factor, are the marts' alone
OF_THE_MARTS_ALONE = {
    "has_pension", "is_complete", "adjusted_open_price", "adjusted_high_price", "adjusted_low_price", "adjusted_close_price",
    "adjusted_volume",
}  # fmt: skip


def columns_of_an_aggregate(mart: str) -> str:
    """Columns of a mart that its continuous aggregate has too."""
    (columns,) = (node["columns"] for node in models("marts") if node["name"] == mart)
    return ", ".join(name for name in columns if name not in OF_THE_MARTS_ALONE)


def aggregates_agree(database: Database) -> None:
    """The continuous aggregates hold what the marts of the same names do."""
    for name in AGGREGATES:
        columns = columns_of_an_aggregate(name)
        kept = database.rows(f"select {columns} from aggregates.{name} order by 1, 2, 3")
        assert kept
        assert kept == database.rows(f"select {columns} from marts.{name} order by 1, 2, 3")


def run(database: Database, target: str, *arguments: str) -> None:
    done = database.dbt(*arguments, "--target", target)
    assert done.returncode == 0, done.stdout


def test_every_mart_has_the_same_rows_on_both(database: Database) -> None:
    run(database, "postgres", "build")
    assert hypertables(database) == []
    plain = checksums(database)
    assert all(plain[mart][0] for mart in HYPERTABLES)
    run(database, "timescale", "run-operation", "move_time_series")
    assert (hypertables(database), checksums(database)) == (HYPERTABLES, plain)
    # made anew, tests and all
    run(database, "timescale", "build", "--full-refresh")
    assert (hypertables(database), checksums(database)) == (HYPERTABLES, plain)
    aggregates_agree(database)


def test_a_compressed_database_takes_a_day_again_and_moves_back(
    database: Database, simulator: Simulator
) -> None:
    before = checksums(database)
    with database.connect() as connection:
        for mart in HYPERTABLES:
            connection.execute(
                f"select compress_chunk(chunk, if_not_compressed => true) from show_chunks('marts.{mart}') as chunk"
            )
    assert checksums(database) == before
    loaded = database.loaders(
        "load", "--source", "kis", "--dataset", "ohlcv_minute", "--scope", "990020", "--refresh",
        "--from", "2026-09-30", "--to", "2026-09-30", **simulator.environment,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    run(database, "timescale", "build")
    aggregates_agree(database)
    after = checksums(database)
    of_the_ledger = {"data_collection_logs"}
    assert {mart for mart in after if after[mart] != before[mart]} <= of_the_ledger
    run(database, "postgres", "run-operation", "move_time_series")
    assert (hypertables(database), checksums(database)) == ([], after)
