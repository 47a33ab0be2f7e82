"""Two runs at once, and the back-fill of one name by range."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.simulator.server import Simulator
from tests.conftest import ROOT, Database


def test_of_two_builds_started_at_once_one_refuses_and_the_other_is_undisturbed(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    # an empty database, without any source, builds too: every raw table is there
    database = new_database()

    def dbt(*arguments: str) -> subprocess.CompletedProcess[str]:
        places = ("--target-path", tmp_path / "-".join(arguments), "--log-path", tmp_path)
        return subprocess.run(
            [Path(sys.executable).parent / "dbt", *arguments, *places], cwd=ROOT,
            env=database.process_environment() | {"DBT_PROFILES_DIR": "profiles"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    with ThreadPoolExecutor() as pool:
        onlooker = pool.submit(dbt, "docs", "generate")
        first, second = sorted(
            pool.map(dbt, ("build", "build"), ("--no-use-colors", "--use-colors")),
            key=lambda done: done.returncode,
        )
        assert onlooker.result().returncode == 0, onlooker.result().stdout
    assert first.returncode == 0, first.stdout
    assert second.returncode != 0
    assert "another dbt run works on database" in second.stdout
    assert "wait for it to end" in second.stdout
    assert database.rows("select outcome from ops.build_runs") == [("ENDED",)]
    # a warehouse that holds nothing says so, and every section of it too
    assert database.report(tmp_path / "report.html").returncode == 0
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "데이터가 없습니다" in report
    assert "만들어지지 않음: quality.report" not in report


def test_a_run_that_waited_sees_the_one_before_it_whatever_the_isolation(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    name = database.environment["PGDATABASE"]
    database.execute(
        f"alter database {name} set default_transaction_isolation to 'repeatable read'"
    )
    built = database.dbt("seed")
    assert built.returncode == 0, built.stdout
    with ThreadPoolExecutor() as pool, database.connect() as first:
        first.execute("set application_name = 'dbt'")
        with first.transaction():
            first.execute("set transaction isolation level read committed")
            first.execute("lock table ops.build_runs in share row exclusive mode")
            second = pool.submit(database.dbt, "seed")
            waiting = "select count(*) from pg_locks where relation = 'ops.build_runs'::regclass and not granted"
            while first.execute(waiting).fetchall() == [(0,)]:
                assert not second.done(), second.result().stdout
                time.sleep(0.05)
            first.execute(
                "insert into ops.build_runs (invocation_id, ledger_id, started_at) values ('first', 0, now())"
            )
        assert second.result().returncode != 0
    assert "another dbt run works on database" in second.result().stdout


def test_dbt_on_a_database_that_was_never_set_up_says_what_to_do(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    with database.connect() as connection:
        connection.execute("drop schema raw cascade")
    refused = database.dbt("run")
    assert refused.returncode != 0
    assert "is not set up: run `make up`" in refused.stdout


def test_a_report_before_the_first_build_names_what_is_not_built(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database()
    assert database.report(tmp_path / "report.html").returncode == 0
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "판정할 수 없음" in report
    assert "만들어지지 않음: quality.report_collection" in report


def test_one_name_is_back_filled_by_range(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    name = (
        "load", "--source", "infomax", "--dataset", "ohlcv_daily", "--scope", "990010",
        "--from", "2026-03-30", "--to", "2026-05-15",
    )  # fmt: skip
    # a name that is named needs no list of names
    assert database.loaders(*name, **simulator.environment).returncode == 0
    requests = "select count(*) from raw.fetches where endpoint = 'stock/hist' and error is null"
    assert database.rows(requests) == [(1,)], "one request for the whole range"
    assert database.build("ohlcv_daily").returncode == 0
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
    assert database.build("ohlcv_daily").returncode == 0
    assert database.rows(
        "select count(*) from staging.stg_krx__stk_bydd_trd where fetch_id = 999999"
    ) == [(0,)]
    # 58 stocks and three funds
    assert database.rows("select count(*), count(distinct stock_code) from marts.ohlcv_daily") == [
        (61, 61)
    ]
