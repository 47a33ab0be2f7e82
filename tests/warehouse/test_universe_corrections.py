"""What a corrected file changes later is in the marts of facts, and never in the universe of the day it speaks of.

The tests of this file are one story of one yearly file that is published twice, and run in its order.
"""

from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.warehouse.test_revisions import CLOSES, MONDAY, TUESDAY, Publisher, bar

ADDED = "005380"
UNIVERSE = "select stock_code, time::text, close_price, adjustment_factor::text from marts.stock_universe_daily order by 1, 2"


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
