"""What the planner knows of days that came behind others: models that compare a day with itself rest on it."""

from collections.abc import Callable
from datetime import date

from loaders import calendar
from tests.bench.daily_market import put_into_raw
from tests.conftest import Database

NAMES = 500
FIRST = calendar.sessions(date(2025, 1, 6), date(2025, 1, 8))
BACK_FILLED = calendar.sessions(date(2024, 12, 2), date(2024, 12, 4))
TABLES = {
    "intermediate.int_daily_prices__unioned": "trade_date",
    "marts.ohlcv_daily": "time",
    "marts.market_cap_daily": "time",
}


def expected(database: Database, table: str, column: str) -> int:
    """Rows of the back-filled days that the planner expects of a table."""
    days = ", ".join(f"'{day}'" for day in BACK_FILLED)
    ((plan,),) = database.rows(
        f"explain (format json) select from {table} where {column} in ({days})"
    )
    rows: int = plan[0]["Plan"]["Plan Rows"]  # type: ignore[index]
    return rows


def test_days_that_are_back_filled_behind_a_few_are_not_taken_for_single_rows(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    for days in (FIRST, BACK_FILLED):
        with database.connect() as connection:
            put_into_raw(connection, days, NAMES)
        built = database.build("ohlcv_daily", "market_cap_daily")
        assert built.returncode == 0, built.stdout
    found = {name: expected(database, name, column) for name, column in TABLES.items()}
    there = NAMES * len(BACK_FILLED)
    assert all(there / 2 < rows < there * 2 for rows in found.values()), found
