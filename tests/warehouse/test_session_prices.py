"""Sessions of trading_calendar against the days on which the market has prices, both directions, and what they are."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Database
from tests.warehouse.test_revisions import BUILD, bar

SPAN = ("load", "--source", "marcap", "--from", "2024-01-08", "--to", "2024-01-12", "--refresh")
MISMATCHES = "select date::text, source, problem from quality.session_price_mismatches order by 1"
LOOKED_AT = ("--select", "+session_price_mismatches", "+ohlcv_daily")
OUTCOMES = (
    "select test_name, status from quality.dbt_test_results where table_name = 'session_price_mismatches'"
    " and invocation_id = (select invocation_id from ops.build_runs order by started_at desc limit 1) order by 1"
)


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database]) -> Database:
    return new_database()


def load(database: Database, folder: Path, *days: str) -> int:
    """Publish a yearly file with some days, load the week; the exit code."""
    rows = pa.Table.from_pylist([bar("005930", day) for day in days])
    pq.write_table(rows, folder / "marcap-2024.parquet")
    return database.loaders(*SPAN, MARCAP_BASE_URL=str(folder)).returncode


def test_a_session_between_priced_days_without_any_price_is_told_and_warned_of(
    warehouse: Database, tmp_path: Path
) -> None:
    # Wednesday lacks; Friday is past the end of the file, which is no statement about it
    assert load(warehouse, tmp_path, "2024-01-08", "2024-01-09", "2024-01-11") == 0
    assert warehouse.dbt(*BUILD, *LOOKED_AT).returncode == 0
    assert warehouse.rows(MISMATCHES) == [("2024-01-10", "marcap", "SESSION_WITHOUT_PRICES")]
    tested = warehouse.dbt("test", "--select", "session_price_mismatches")
    assert tested.returncode == 0, tested.stdout
    assert warehouse.rows(OUTCOMES) == [
        ("every_collected_session_has_prices", "warn"),
        ("no_prices_on_a_closed_day", "pass"),
    ]


def test_prices_on_a_closed_day_fail_and_keep_nothing_from_being_published(
    warehouse: Database, tmp_path: Path
) -> None:
    assert load(warehouse, tmp_path, "2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11") == 0
    # a closure that is learned of later: the prices are there already
    with warehouse.connect() as connection:
        connection.execute(
            "insert into seeds.trading_calendar_exceptions (exception_date, exception_kind, reason_ko, reason_en, source)"
            " values ('2024-01-09', 'CLOSED', '임시 휴장', 'Special closure', 'test')"
        )
    built = warehouse.dbt("run", *LOOKED_AT)
    assert built.returncode == 0, built.stdout
    assert warehouse.rows(MISMATCHES) == [("2024-01-09", "marcap", "PRICES_ON_CLOSED_DAY")]
    tested = warehouse.dbt("test", "--select", "session_price_mismatches")
    assert tested.returncode == 1
    assert warehouse.rows(OUTCOMES) == [
        ("every_collected_session_has_prices", "pass"),
        ("no_prices_on_a_closed_day", "fail"),
    ]
    assert warehouse.rows("select count(*) from marts.ohlcv_daily") == [(4,)]


def test_a_file_with_prices_on_a_day_that_is_no_session_is_told_although_they_are_not_taken_in(
    warehouse: Database, tmp_path: Path
) -> None:
    assert warehouse.dbt("seed").returncode == 0
    load(warehouse, tmp_path, "2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11")
    saturday = pa.Table.from_pylist([bar("005930", "2024-01-13"), bar("005930", "2024-01-15")])
    pq.write_table(saturday, tmp_path / "marcap-2024.parquet")
    warehouse.loaders(
        "load", "--source", "marcap", "--from", "2024-01-12", "--to", "2024-01-15", MARCAP_BASE_URL=str(tmp_path)
    )  # fmt: skip
    run = warehouse.dbt("run", *LOOKED_AT)
    assert run.returncode == 0, run.stdout
    assert warehouse.rows(MISMATCHES) == [
        ("2024-01-12", "marcap", "SESSION_WITHOUT_PRICES"),
        ("2024-01-13", "marcap", "PRICES_ON_CLOSED_DAY"),
    ]


def test_the_calendar_is_what_the_exchange_did(warehouse: Database) -> None:
    late = "select to_char(opens_at at time zone 'Asia/Seoul', 'HH24:MI') from marts.trading_calendar where date = "
    # the first session of every year opens late, whatever its weekday
    assert warehouse.rows(
        "select count(*), count(*) filter (where reason like '증시 개장식%') from ("
        " select distinct on (extract(year from date)) date, reason from marts.trading_calendar where is_session"
        " order by extract(year from date), date) as first_sessions"
    ) == [(33, 33)]
    # and so does one session in November or December, two in 2017 when an earthquake put the test off by a week
    assert warehouse.rows(
        "select count(*), count(distinct extract(year from date)) from marts.trading_calendar"
        " where is_session and reason like '대학수학능력시험%'"
    ) == [(34, 33)]
    assert warehouse.rows(late + "'1998-12-05'") == [("09:30",)]
    assert warehouse.rows(late + "'1998-12-07'") == [("09:00",)]
    assert warehouse.rows(
        "select max(date)::text from marts.trading_calendar where is_session and extract(isodow from date) = 6"
    ) == [("1998-12-05",)]
    assert warehouse.rows(
        "select date::text, is_session, previous_session::text, next_session::text from marts.trading_calendar"
        " where date in ('2026-06-03', '2026-07-17') order by 1"
    ) == [
        ("2026-06-03", False, "2026-06-02", "2026-06-04"),
        ("2026-07-17", False, "2026-07-16", "2026-07-20"),
    ]
    # numbers count sessions without a gap, and neighbours are the sessions of the numbers beside
    assert warehouse.rows(
        "select count(*) from marts.trading_calendar as days"
        " left join marts.trading_calendar as before on days.previous_session = before.date"
        " where days.is_session and coalesce(before.session_number, 0) + 1 <> days.session_number"
    ) == [(0,)]
