"""What a corrected file changes later is in the marts of facts, and in no universe or history of the day it speaks of.

The tests of this file are one story of one yearly file that is published again and again, and run in its order.
"""

from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.warehouse.test_revisions import CLOSES, MONDAY, TUESDAY, Publisher, bar

ADDED = "005380"
UNIVERSE = "select stock_code, time::text, close_price, adjustment_factor::text from marts.stock_universe_daily order by 1, 2"

HISTORY = (
    "select stock_code, valid_from, valid_to, stock_name, market, known_from, known_to, known_basis"
    " from marts.stocks_history order by stock_code, known_from, valid_from"
)


@pytest.fixture(scope="module")
def publisher(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Publisher:
    selected = ("--select", "+stock_universe_daily", "+ohlcv_daily")
    return Publisher(tmp_path_factory.mktemp("corrected"), new_database(), selected)


@pytest.fixture(scope="module")
def as_first_told(publisher: Publisher) -> list[tuple[object, ...]]:
    """The universe of the first file."""
    publisher.publish([bar(code, day) for code in CLOSES for day in (MONDAY, TUESDAY)])
    universe = publisher.database.rows(UNIVERSE)
    assert len(universe) == 2 * len(CLOSES)
    assert universe[1] == ("000660", TUESDAY, 136_700, "1.000000000000")
    return universe


def test_a_name_that_a_correction_adds_was_in_no_universe_before_it(
    publisher: Publisher, as_first_told: list[tuple[object, ...]]
) -> None:
    added = bar("035720", TUESDAY) | {"Code": ADDED, "Name": ADDED}
    publisher.publish([added, *(bar(code, day) for code in CLOSES for day in (MONDAY, TUESDAY))])
    database = publisher.database
    assert database.rows(
        f"select time::text from marts.ohlcv_daily where stock_code = '{ADDED}'"
    ) == [(TUESDAY,)]
    assert database.rows(UNIVERSE) == as_first_told


def test_a_base_price_that_is_corrected_later_changes_no_factor_of_the_day(
    publisher: Publisher, as_first_told: list[tuple[object, ...]]
) -> None:
    close = CLOSES["000660"]
    corrected = bar("000660", TUESDAY, Changes=float(close - 2 * close))
    others = [bar(code, TUESDAY) for code in CLOSES if code != "000660"]
    publisher.publish([corrected, *others, *(bar(code, MONDAY) for code in CLOSES)])
    database = publisher.database
    assert database.rows(
        f"select base_price, factor::text from marts.adjustment_factors where stock_code = '000660' and ex_date = '{TUESDAY}'"
    ) == [(2 * close, "2.000000000000")]
    assert database.rows(UNIVERSE) == as_first_told


def test_a_name_that_is_corrected_or_dropped_later_changes_no_history_of_the_day(
    publisher: Publisher, as_first_told: list[tuple[object, ...]]
) -> None:
    database = publisher.database
    published = "known_basis <> 'PUBLISHED' or stock_code not in ('" + "', '".join(CLOSES) + "')"
    assert database.rows(f"select * from marts.stocks_history where {published}") == []
    history = database.rows(HISTORY)
    described = "select security_type, upper_limit_price from marts.stock_universe_daily order by stock_code, time"
    before = database.rows(described)
    renamed = bar("000660", TUESDAY, Name="다른이름", Market="KOSDAQ", MarketId="KSQ")
    # 035720 is in Tuesday's file no longer
    publisher.publish([renamed, bar("005930", TUESDAY), *(bar(code, MONDAY) for code in CLOSES)])
    assert database.rows(
        f"select stock_code from marts.ohlcv_daily where time = '{TUESDAY}' order by 1"
    ) == [("000660",), ("005930",)]
    assert database.rows(HISTORY) == history
    assert database.rows(described) == before
    assert database.rows(UNIVERSE) == as_first_told
