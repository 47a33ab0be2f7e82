"""Real yearly files of the whole market, through loader and dbt, against figures counted in the files themselves."""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.conftest import Database

EXPECTED = {
    # year: rows, sessions, codes, sum of close, sum of volume, rows without trades
    2023: (80_799, 30, 2_701, 1_650_258_051, 48_345_422_032, 2_741),
    2024: (80_828, 29, 2_800, 1_590_197_268, 49_584_503_231, 3_294),
}


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], real_data: Path) -> Database:
    database = new_database()
    loaded = database.loaders(
        "load", "--source", "marcap", "--from", "2023-01-01", "--to", "2024-12-31",
        MARCAP_BASE_URL=str(real_data / "daily_krx_raw_marcap"),
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    built = database.dbt("build")
    assert built.returncode == 0, built.stdout
    return database


@pytest.mark.parametrize("year", EXPECTED)
def test_every_row_of_the_file_is_in_the_mart(warehouse: Database, year: int) -> None:
    (row,) = warehouse.rows(
        "select count(*), count(distinct time), count(distinct stock_code), sum(close_price), sum(volume),"
        " count(*) filter (where volume = 0 and num_nulls(open_price, high_price, low_price) = 3)"
        f" from marts.ohlcv_daily where extract(year from time) = {year}"
    )
    assert row == EXPECTED[year]


def test_no_price_is_ever_zero(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*) from marts.ohlcv_daily where least(open_price, high_price, low_price, close_price) = 0"
    ) == [(0,)]


def test_rules_reject_nothing_true_and_warn_of_what_is_odd(warehouse: Database) -> None:
    assert warehouse.rows("select count(*) from quality.rejected_rows") == [(0,)]
    # no price of 161,627 rows is off its tick; beyond the limit are first sessions and liquidation trading alone
    assert warehouse.rows(
        "select rule_id, count(*) from quality.warned_rows group by 1 order by 1"
    ) == [("PRICE_BEYOND_LIMIT", 16), ("VOLUME_IMPLAUSIBLE", 1)]
    assert warehouse.rows(
        "select exemption, is_published, array_agg(distinct stock_code order by stock_code), count(*)"
        " from quality.price_limit_breaks where exemption is null group by 1, 2"
    ) == [(None, True, ["064510", "114120", "141020"], 7)]  # no list of the delisted was collected


def test_market_cap_is_close_times_shares_on_every_row(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*) from marts.market_cap_daily as caps"
        " left join marts.ohlcv_daily as bars using (time, stock_code)"
        " where caps.market_cap is distinct from bars.close_price::bigint * caps.shares_outstanding"
    ) == [(0,)]


def test_sessions_that_the_files_do_not_hold_are_not_published(warehouse: Database) -> None:
    assert warehouse.rows(
        "select status, count(*) from marts.data_collection_logs where data_type = 'ohlcv_daily' group by 1 order by 1"
    ) == [("NOT_PUBLISHED", 430), ("SUCCESS", 59)]


def test_any_value_leads_back_to_a_request_and_a_hash(warehouse: Database) -> None:
    (row,) = warehouse.rows(
        "select fetches.request ->> 'file', length(fetches.payload_sha256), raw_rows.close"
        " from intermediate.int_daily_prices__unioned as prices"
        " inner join raw.fetches as fetches using (fetch_id)"
        " inner join raw.marcap__daily as raw_rows"
        " on prices.fetch_id = raw_rows._fetch_id and prices.row_number = raw_rows._row_number"
        " where prices.stock_code = '005930' and prices.trade_date = '2023-01-02'"
    )
    assert row == ("marcap-2023.parquet", 64, 55500.0)


def test_histories_have_every_event_of_the_files_on_its_day(
    warehouse: Database, real_data: Path
) -> None:
    events = json.loads((real_data / "events_dev.json").read_text(encoding="utf-8"))
    versions = defaultdict(list)
    for code, start, end, name, segment in warehouse.rows(
        "select stock_code, valid_from::text, valid_to::text, stock_name, segment from marts.stocks_history"
        " where known_to is null order by valid_from"
    ):
        versions[code].append((start, end, name, segment))
    checked = 0
    for event in events["marcap_events"]:
        before = [v for v in versions[event["code"]] if v[1] == event["date"]]
        after = [v for v in versions[event["code"]] if v[0] == event["date"]]
        found = {
            "rename": [(v[2], w[2]) for v in before for w in after],
            "market": [(v[3], w[3]) for v in before for w in after],
            "listed": [("", "") for w in after if not before],
            "gone": [("", "") for v in before if not after],
        }
        if event["type"] in found:
            assert found[event["type"]] == [(event["old"], event["new"])], event
            checked += 1
    assert checked == 50


def test_a_version_is_known_from_the_publication_of_its_file(warehouse: Database) -> None:
    # POSCO DX moved on 2024-01-02; the file of that session is out the next morning
    assert warehouse.rows(
        "select market, valid_from::text, valid_to::text, known_from at time zone 'Asia/Seoul', known_to is null, known_basis"
        " from marts.stocks_history where stock_code = '022100' order by known_from, valid_from"
    ) == [
        ("KOSDAQ", "2023-01-02", None, datetime(2023, 1, 3, 8), False, "PUBLISHED"),
        ("KOSDAQ", "2023-01-02", "2024-01-02", datetime(2024, 1, 3, 8), True, "PUBLISHED"),
        ("KOSPI", "2024-01-02", None, datetime(2024, 1, 3, 8), True, "PUBLISHED"),
    ]


def test_the_universe_of_a_session_is_the_rows_of_its_file(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*), count(distinct time), sum(close_price), sum(listed_shares) from marts.stock_universe_daily"
    ) == warehouse.rows(
        "select count(*), count(distinct time), sum(close_price), sum(shares_outstanding)"
        " from marts.ohlcv_daily inner join marts.market_cap_daily using (time, stock_code)"
    )
    # delisted since: there until its last session, gone the next
    assert warehouse.rows(
        "select max(time)::text from marts.stock_universe_daily where stock_code = '091990'"
    ) == [("2024-01-11",)]
    # the limit of 30 % cut to ticks: 2,750 won moved by 825 at the most; liquidation trading knows no limit
    assert warehouse.rows(
        "select upper_limit_price, lower_limit_price, close_price, is_limit_down from marts.stock_universe_daily"
        " where stock_code = '064510' and time = '2023-01-06'"
    ) == [(3575, 1925, 658, False)]


def test_the_universe_of_a_day_does_not_look_ahead(
    warehouse: Database, new_database: Callable[..., Database], real_data: Path
) -> None:
    early = new_database()
    loaded = early.loaders(
        "load", "--source", "marcap", "--from", "2023-12-01", "--to", "2024-01-11",
        MARCAP_BASE_URL=str(real_data / "daily_krx_raw_marcap"),
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    assert (
        early.dbt(
            "build", "--select", "+stock_universe_daily", "--exclude", "test_type:generic"
        ).returncode
        == 0
    )
    query = "select * from marts.stock_universe_daily where time between '2024-01-02' and '2024-01-11' order by time, stock_code"
    rows = early.rows(query)
    assert len(rows) > 15_000
    assert rows == warehouse.rows(query)
