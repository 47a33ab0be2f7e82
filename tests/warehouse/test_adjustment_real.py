"""Factors and adjusted prices on real yearly files: facts of the exchange, and a vendor's adjusted series beside ours."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import Database

VENDOR_FILE = "daily_bars_pykrx_adjusted/bars_2023-12-05_2024-12-30.parquet"


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], real_data: Path) -> Database:
    database = new_database()
    loaded = database.loaders(
        "load", "--source", "marcap", "--from", "2023-01-01", "--to", "2024-12-31",
        MARCAP_BASE_URL=str(real_data / "daily_krx_raw_marcap"),
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    built = database.build("ohlcv_daily_adjusted", "adjustment_factors", "corporate_actions")
    assert built.returncode == 0, built.stdout
    return database


@pytest.fixture(scope="module")
def compared(warehouse: Database, real_data: Path) -> Database:
    """The vendor's bars in a table beside ours, and the factor that it applied on every shared session."""
    columns = ["날짜", "code", "종가"]
    bars = pq.read_table(real_data / VENDOR_FILE, columns=columns)
    with warehouse.connect() as connection:
        connection.execute("create schema vendor")
        connection.execute("create table vendor.bars (time date, stock_code text, close numeric)")
        with connection.cursor().copy("copy vendor.bars from stdin") as copy:
            for row in zip(*(bars.column(name).to_pylist() for name in columns), strict=True):
                copy.write_row(row)
        connection.execute(
            "create table vendor.shared as select time, stock_code, vendor.close as vendor_close, raw.close_price,"
            " adjusted.close_price as adjusted_close, adjusted.adjustment_factor as factor,"
            " first_value(vendor.close / raw.close_price) over newest_first as vendor_level,"
            " lag(vendor.close) over newest_first as next_vendor_close, lag(raw.close_price) over newest_first as next_close,"
            " lag(adjusted.adjustment_factor) over newest_first as next_factor,"
            " lag(time) over newest_first as next_time"
            " from vendor.bars as vendor join marts.ohlcv_daily as raw using (time, stock_code)"
            " join marts.ohlcv_daily_adjusted as adjusted using (time, stock_code)"
            " where time >= '2024-01-02'"
            " window newest_first as (partition by stock_code order by time desc)"
        )
    return warehouse


def factor(warehouse: Database, code: str, day: str) -> list[tuple[object, ...]]:
    return warehouse.rows(
        "select kind, factor, reason from marts.adjustment_factors"
        f" where stock_code = '{code}' and ex_date = '{day}'"
    )


def test_a_session_after_one_that_is_not_at_hand_has_no_factor_and_never_a_lagged_one(
    warehouse: Database,
) -> None:
    assert warehouse.rows(
        "select ex_date::text, count(*), count(factor) from marts.adjustment_factors"
        " where reason = 'MISSING_SESSION' group by 1 order by 1"
    ) == [("2023-01-02", 2690, 0), ("2024-01-02", 2786, 0)]


def test_nothing_is_adjusted_over_a_session_that_is_not_at_hand(warehouse: Database) -> None:
    # names of 2023 that had gone before 2024 are known to the end of their own history
    assert warehouse.rows(
        "select count(*) from marts.ohlcv_daily_adjusted as adjusted where time < '2024-01-02' and close_price is not null"
        " and exists (select from marts.ohlcv_daily where stock_code = adjusted.stock_code and time = '2024-01-02')"
    ) == [(0,)]
    assert warehouse.rows(
        "select count(*) filter (where time >= '2024-01-02' and close_price is null),"
        " count(*) filter (where time < '2024-01-02' and close_price is not null) > 0"
        " from marts.ohlcv_daily_adjusted where stock_code not in"
        # names that came or came back within the days at hand have nothing to adjust before
        " (select stock_code from marts.adjustment_factors where factor is null and ex_date > '2024-01-02')"
    ) == [(0, True)]


@pytest.mark.parametrize(
    ("code", "day", "kind", "base", "close"),
    [
        ("003560", "2024-01-04", "CAPITAL_REDUCTION", 10760, 3585),
        ("355150", "2024-02-02", "CONSOLIDATION", 11450, 2290),
        ("089230", "2024-02-13", "CONSOLIDATION", 2150, 215),
        ("336370", "2024-01-08", "BONUS", 13500, 27000),
        ("079370", "2024-01-16", "BONUS", 17600, 52800),
        ("033290", "2024-02-02", "SPIN_OFF", 4880, 5730),
        ("034220", "2024-01-25", "UNKNOWN", 12700, 13740),
        ("001140", "2024-02-02", "AUCTION_RESET", 3600, 3150),
        ("149980", "2024-02-07", "AUCTION_RESET", 8450, 9950),
        ("419270", "2024-01-12", "AUCTION_RESET", 3965, 2425),
    ],
)
def test_an_action_is_named_and_has_the_factor_of_the_exchange(
    warehouse: Database, code: str, day: str, kind: str, base: int, close: int
) -> None:
    ((found, number, _),) = factor(warehouse, code, day)
    assert (found, number) == (kind, round(Decimal(base) / close, 12))


@pytest.mark.parametrize(
    ("code", "day"),
    [
        # shares of bonus issues are listed weeks after their ex-dates
        ("290690", "2024-01-26"), ("336370", "2024-01-30"), ("079370", "2024-02-08"),
        # moves from KOSDAQ to KOSPI
        ("066970", "2024-01-29"),
    ],
)  # fmt: skip
def test_more_shares_or_another_market_alone_are_no_action(
    warehouse: Database, code: str, day: str
) -> None:
    assert factor(warehouse, code, day) == []


def test_a_price_that_a_halted_name_is_given_anew_is_rounding(warehouse: Database) -> None:
    assert warehouse.rows(
        "select stock_code, ex_date::text, factor from marts.adjustment_factors where reason = 'ROUNDING' order by 1"
    ) == [("141020", "2023-01-26", 1), ("263540", "2023-01-26", 1)]


def test_a_move_over_the_turn_of_the_year_waits_for_its_session(warehouse: Database) -> None:
    assert factor(warehouse, "022100", "2024-01-02") == [(None, None, "MISSING_SESSION")]


def test_a_consolidation_makes_no_return(warehouse: Database) -> None:
    assert warehouse.rows(
        "select time::text, close_price from marts.ohlcv_daily_adjusted"
        " where stock_code = '003560' and time between '2024-01-02' and '2024-01-05' order by 1"
    ) == [(f"2024-01-0{day}", 10760) for day in (2, 3, 4, 5)]


def test_every_factor_stands_among_the_actions_once(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*), count(actions.stock_code), count(distinct actions.id) from marts.adjustment_factors as factors"
        " left join marts.corporate_actions as actions using (stock_code, ex_date, factor) where factors.factor <> 1"
    ) == [(38, 38, 38)]


def test_the_evening_of_a_day_can_be_asked_for_again_to_the_digit(warehouse: Database) -> None:
    columns = "stock_code, time, close_price, volume, adjustment_factor"
    (now,) = warehouse.rows(
        f"select count(*), md5(string_agg(concat_ws('|', {columns}), ',' order by stock_code, time))"
        " from marts.ohlcv_daily_adjusted"
    )
    as_of = (
        f"select count(*), md5(string_agg(concat_ws('|', {columns}), ',' order by stock_code, time))"
        " from marts.ohlcv_daily_adjusted_as_of('{}')"
    )
    assert warehouse.rows(as_of.format("2024-02-13")) == [now]
    # 079370 goes ex on 2024-01-16: its evening before knows nothing of it
    assert warehouse.rows(
        "select distinct adjustment_factor from marts.ohlcv_daily_adjusted_as_of('2024-01-15')"
        " where stock_code = '079370' and time >= '2024-01-02'"
    ) == [(1,)]
    assert warehouse.rows(
        "select max(time)::text from marts.ohlcv_daily_adjusted_as_of('2024-01-15')"
    ) == [("2024-01-15",)]


def test_models_get_the_same_from_the_macro_as_others_from_the_function(
    warehouse: Database,
) -> None:
    sums = "select count(*) as bars, sum(close_price)::text as closes, sum(volume)::text as volumes from"
    shown = warehouse.dbt(
        "show", "--quiet", "--output", "json", "--inline",
        sums + " {{ adjusted_as_of('2024-01-15', 'total_return_factor') }} as bars"
        " -- {{ ref('ohlcv_daily') }} {{ ref('adjustment_factors') }}",
    )  # fmt: skip
    assert shown.returncode == 0, shown.stdout
    (bars, closes, volumes) = warehouse.rows(
        f"{sums} marts.ohlcv_daily_adjusted_as_of('2024-01-15', false)"
    )[0]
    assert json.loads(shown.stdout)["show"] == [
        {"bars": bars, "closes": closes, "volumes": volumes}
    ]


def test_returns_over_an_auction_are_kept_where_they_are_asked_for(warehouse: Database) -> None:
    assert warehouse.rows(
        "select with_resets.close_price, without.close_price"
        " from marts.ohlcv_daily_adjusted_as_of('2024-02-13') as with_resets"
        " join marts.ohlcv_daily_adjusted_as_of('2024-02-13', false) as without using (stock_code, time)"
        " where stock_code = '001140' and time = '2024-02-01'"
    ) == [(3600, 3150)]


def test_the_vendors_adjusted_prices_are_ours_between_the_first_and_the_last_shared_session(
    compared: Database,
) -> None:
    """Levels differ by what came after the last shared session: the vendor's ratio there is that part."""
    (sessions, codes, rows) = compared.rows(
        "select count(distinct time), count(distinct stock_code), count(*) from vendor.shared"
    )[0]
    assert (sessions, codes, rows) == (29, 2592, 74924)
    exceptions = compared.rows(
        "select distinct stock_code from vendor.shared"
        # the vendor writes whole won, after rounding at every later action: one won of either price
        " where abs(vendor_close - adjusted_close * vendor_level) > 1 + 1.5 * vendor_level * (1 + factor) order by 1"
    )
    # second preferred of 336370, whose bonus issue the vendor missed on this share alone: its first preferred has it
    assert exceptions == [("33637L",)]


def test_the_vendors_factor_changes_on_the_same_days(compared: Database) -> None:
    changes = compared.rows(
        "select stock_code, next_time::text,"
        " factor <> next_factor as ours,"
        " abs(vendor_close / close_price - next_vendor_close / next_close)"
        # what rounding to whole won, once on either side and once in an older step, can do to the ratio
        "   > 1.5 * (1 + vendor_close / close_price) / close_price + 1.5 * (1 + next_vendor_close / next_close) / next_close"
        "   as vendors"
        " from vendor.shared where next_time is not null"
    )
    ours = {(code, day) for code, day, changed, _ in changes if changed}
    vendors = {(code, day) for code, day, _, changed in changes if changed}
    assert vendors - ours == set()
    # as above
    assert ours - vendors == {("33637L", "2024-01-08")}
    assert len(ours) == 20


def test_a_session_that_comes_later_gives_the_day_after_it_its_factors(
    new_database: Callable[..., Database], real_data: Path
) -> None:
    """The bars of 2024-01-04 are not touched when 2024-01-03 arrives; their factors are."""
    database = new_database()
    files = str(real_data / "daily_krx_raw_marcap")
    reasons = (
        "select reason, count(*) from marts.adjustment_factors where ex_date = '2024-01-04'"
        " group by 1 order by 1"
    )
    found = []
    for day in ("2024-01-04", "2024-01-03"):
        loaded = database.loaders(
            "load", "--source", "marcap", "--from", day, "--to", day, MARCAP_BASE_URL=files
        )
        assert loaded.returncode == 0, loaded.stderr
        built = database.dbt(
            "build", "--exclude-resource-type", "test", "--select", "+adjustment_factors"
        )
        assert built.returncode == 0, built.stdout
        found.append(database.rows(reasons))
    assert found == [
        [("MISSING_SESSION", 2785)],
        [("FIRST_SESSION", 1), ("NOT_EXPLAINED", 1), ("SHARES_CHANGED", 1)],
    ]
