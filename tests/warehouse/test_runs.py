"""Two runs at once, and the back-fill of one name by range."""

from collections.abc import Callable

import psycopg

from sandbox.simulator.server import Simulator
from tests.conftest import Database


def test_a_second_build_refuses_while_one_runs(new_database: Callable[..., Database]) -> None:
    database = new_database()
    e = database.environment
    other = psycopg.connect(
        host=e["PGHOST"], port=e["PGPORT"], user=e["PGUSER"], password=e["PGPASSWORD"],
        dbname=e["PGDATABASE"], application_name="dbt",
    )  # fmt: skip
    with other:
        refused = database.dbt("build")
        assert refused.returncode != 0
        assert "another dbt run" in refused.stdout
        assert "wait for it to end" in refused.stdout
        assert database.rows(
            "select count(*) from information_schema.tables where table_schema = 'marts'"
        ) == [(0,)]
    other.close()
    # and an empty database, without any source, builds: every raw table is there
    built = database.dbt("build")
    assert built.returncode == 0, built.stdout


def test_one_name_is_back_filled_by_range(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    name = (
        "load", "--source", "infomax", "--dataset", "ohlcv_daily", "--scope", "990010",
        "--from", "2026-03-30", "--to", "2026-05-15",
    )  # fmt: skip
    too_early = database.loaders(*name, **simulator.environment)
    assert too_early.returncode == 1
    assert "make load SOURCE=infomax DATASET=stocks" in too_early.stderr
    stocks = ("load", "--source", "infomax", "--dataset", "stocks")
    assert database.loaders(*stocks, **simulator.environment).returncode == 0
    assert database.loaders(*name, **simulator.environment).returncode == 0
    requests = "select count(*) from raw.fetches where endpoint = 'stock/hist' and error is null"
    assert database.rows(requests) == [(1,)], "one request for the whole range"
    assert database.dbt("build").returncode == 0
    assert database.rows(
        "select count(*), count(distinct stock_code), min(time)::text from marts.ohlcv_daily"
    ) == [(33, 1, "2026-03-30")]


def test_what_a_killed_load_left_behind_is_ignored(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    day = (
        "--source",
        "krx",
        "--dataset",
        "ohlcv_daily",
        "--from",
        "2026-05-06",
        "--to",
        "2026-05-06",
    )
    assert database.loaders("load", *day, **simulator.environment).returncode == 0
    # rows that a package copied before its ledger entry was written
    with database.connect() as connection:
        connection.execute(
            "insert into raw.krx__stk_bydd_trd select (jsonb_populate_record(t, '{\"_fetch_id\": 999999}')).*"
            " from raw.krx__stk_bydd_trd as t"
        )
    assert database.dbt("build").returncode == 0
    assert database.rows(
        "select count(*) from staging.stg_krx__stk_bydd_trd where fetch_id = 999999"
    ) == [(0,)]
    assert database.rows("select count(*), count(distinct stock_code) from marts.ohlcv_daily") == [
        (58, 58)
    ]
