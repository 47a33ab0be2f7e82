"""Two public calendars that are wrong in 2026, told as the exchange's own list of closures: the cross-check names the days."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

from tests.conftest import Database
from tests.loaders.test_portal import holidays
from tests.replayed_portal import replayed_portal

WEEKDAYS = [
    day for n in range(365) if (day := date(2026, 1, 1) + timedelta(days=n)).isoweekday() < 6
]
LOAD = ("load", "--source", "krx", "--dataset", "trading_calendar", "--from", "2026-11-02", "--to", "2026-11-06")  # fmt: skip


def days_of(path: Path) -> set[date]:
    return {date.fromisoformat(line) for line in path.read_text(encoding="utf-8").split()[1:]}


def test_the_days_on_which_a_calendar_is_wrong_are_disputed(
    new_database: Callable[..., Database], real_data: Path
) -> None:
    closed = days_of(real_data / "calendar" / "holidays-krx.csv")
    sessions = days_of(real_data / "calendar" / "xkrx_exchange_calendars_4.13.2.csv")
    database = new_database()

    def disputed(closures: Iterable[date]) -> list[tuple[object, ...]]:
        with replayed_portal() as portal:
            portal.add({"year": "2026"}, holidays(*(f"{day}" for day in sorted(closures))))
            run = database.loaders(*LOAD, "--refresh", **portal.environment)
            assert run.returncode == 0, run.stderr
        # the test warns: somebody has to say who is right, and nothing is held back for it
        built = database.dbt(
            "build", "--select", "+int_calendar__disputed", "--indirect-selection", "cautious"
        )
        assert built.returncode == 0, built.stdout
        assert "WARN" in built.stdout
        return database.rows(
            "select date::text, is_session, is_session_by_vendor from intermediate.int_calendar__disputed order by 1"
        )

    wrong = [("2026-06-03", False, True), ("2026-07-17", False, True)]
    assert disputed(day for day in WEEKDAYS if day not in sessions) == wrong
    # the other file misses the substitute holiday of Buddha's birthday as well
    substitute = ("2026-05-25", False, True)
    assert disputed(day for day in WEEKDAYS if day in closed) == [substitute, *wrong]
