"""Real yearly files of the whole market, through loader and dbt, against figures counted in the files themselves."""

from collections.abc import Callable
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
