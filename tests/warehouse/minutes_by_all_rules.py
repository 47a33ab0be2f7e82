"""Minutes of a built warehouse, checked again with one of the two readings alone: at a glance, or by all rules."""

from tests.conftest import Database

CHECKED = "intermediate.int_minute_bars__unioned"
BY_ALL_RULES = "public.minutes_by_all_rules"
AT_A_GLANCE = "public.minutes_at_a_glance"
VIEWS = ("stg_kis__time_dailychartprice", "stg_kiwoom__minute_chart")


def _emptied(database: Database, views: tuple[str, ...], copy: str) -> None:
    """Check all minutes while some staging views show no row, keep the result, and put everything back."""
    for view in views:
        database.execute(
            f"alter view staging.{view} rename to {view}_kept;"
            f" create view staging.{view} as select * from staging.{view}_kept where false"
        )
    checked = (
        "run", "--select", "int_minute_bars__plain_even_codes", "int_minute_bars__plain_odd_codes",
        "int_minute_bars__plain_stock_days", "int_minute_bars__doubtful", "int_minute_bars__unioned", "--full-refresh",
    )  # fmt: skip
    run = database.dbt(*checked)
    assert run.returncode == 0, run.stdout
    database.execute(f"drop table if exists {copy}; create table {copy} as select * from {CHECKED}")
    for view in views:
        database.execute(
            f"drop view staging.{view} cascade; alter view staging.{view}_kept rename to {view}"
        )
    assert database.dbt(*checked).returncode == 0


def assert_both_readings_agree(database: Database, *, plain_part: float) -> None:
    """What a glance takes for sound, all rules find the same in every column; and a glance does for so many rows at least.

    Args:
        database: a built warehouse with minutes; it is left as it was.
        plain_part: the part of all rows, 0 to 1, of which a glance has to settle more.
    """
    _emptied(database, tuple(f"{view}_digits" for view in VIEWS), BY_ALL_RULES)
    _emptied(database, VIEWS, AT_A_GLANCE)
    for rows, others in ((CHECKED, BY_ALL_RULES), (BY_ALL_RULES, CHECKED), (AT_A_GLANCE, CHECKED)):
        assert not database.rows(f"select * from {rows} except all select * from {others} limit 3")
    ((plain, rows),) = database.rows(
        f"select (select count(*) from {AT_A_GLANCE}), (select count(*) from {CHECKED})"
    )
    assert isinstance(plain, int) and isinstance(rows, int)
    assert plain > plain_part * rows
