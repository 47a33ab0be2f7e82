"""Sessions of the Korea Exchange, from the same seed files that the mart `trading_calendar` is made of.

Weekdays are sessions, and Saturdays were until December 1998; `seeds/calendar` holds what departs from that.
"""

import csv
from bisect import bisect_left, bisect_right
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from loaders.config import PROJECT_ROOT
from loaders.errors import UsageError

KST = ZoneInfo("Asia/Seoul")
FIRST_DAY = date(1995, 1, 1)
LAST_DAY = date(2027, 12, 31)
LAST_SATURDAY_SESSION = date(1998, 12, 5)
FOLDER = PROJECT_ROOT / "seeds" / "calendar"


@cache
def _exceptions() -> dict[date, dict[str, str]]:
    with (FOLDER / "trading_calendar_exceptions.csv").open(encoding="utf-8") as file:
        return {date.fromisoformat(row["exception_date"]): row for row in csv.DictReader(file)}


@cache
def _all_sessions() -> list[date]:
    closed = {day for day, row in _exceptions().items() if row["exception_kind"] == "CLOSED"}
    days = (FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
    return [
        day
        for day in days
        if day not in closed
        and (day.weekday() < 5 or (day.weekday() == 5 and day <= LAST_SATURDAY_SESSION))
    ]


def _check(day: date) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise UsageError(
            f"{day} is outside the calendar ({FIRST_DAY} to {LAST_DAY});"
            " extend seeds/calendar/trading_calendar_exceptions.csv and the two ends"
        )


def is_session(day: date) -> bool:
    """Whether the exchange trades on a day.

    Raises:
        UsageError: the day is outside the calendar.
    """
    _check(day)
    found = bisect_left(_all_sessions(), day)
    return found < len(_all_sessions()) and _all_sessions()[found] == day


def sessions(start: date, end: date) -> list[date]:
    """Sessions from `start` to `end`, both included, oldest first; empty when `start` is after `end`.

    Raises:
        UsageError: an end is outside the calendar.
    """
    _check(start)
    _check(end)
    days = _all_sessions()
    return days[bisect_left(days, start) : bisect_right(days, end)]


def next_session(day: date) -> date:
    """The first session after a day.

    Raises:
        UsageError: the calendar ends before it.
    """
    following = bisect_right(_all_sessions(), day)
    _check(LAST_DAY + timedelta(days=1) if following == len(_all_sessions()) else day)
    return _all_sessions()[following]


def previous_session(day: date) -> date:
    """The last session before a day.

    Raises:
        UsageError: the calendar begins after it.
    """
    preceding = bisect_left(_all_sessions(), day) - 1
    _check(FIRST_DAY - timedelta(days=1) if preceding < 0 else day)
    return _all_sessions()[preceding]


def closures(start: date, end: date) -> list[tuple[date, str]]:
    """Weekdays from `start` to `end` without a session, with the Korean reason, oldest first."""
    return [
        (day, row["reason_ko"])
        for day, row in sorted(_exceptions().items())
        if row["exception_kind"] == "CLOSED" and start <= day <= end and day.weekday() < 5
    ]


def session_open(day: date) -> datetime:
    """Start of the regular session in KST.

    Raises:
        UsageError: the day is no session.
    """
    return datetime.combine(day, time.fromisoformat(_hours(day)["opens_at"]), KST)


def session_close(day: date) -> datetime:
    """End of the regular session in KST.

    Raises:
        UsageError: the day is no session.
    """
    return datetime.combine(day, time.fromisoformat(_hours(day)["closes_at"]), KST)


@cache
def _hours(day: date) -> dict[str, str]:
    if not is_session(day):
        raise UsageError(f"{day} is no session of the exchange")
    if exception := _exceptions().get(day):
        return exception
    kind = "SATURDAY" if day.weekday() == 5 else "WEEKDAY"
    with (FOLDER / "trading_hours.csv").open(encoding="utf-8") as file:
        return next(
            row
            for row in csv.DictReader(file)
            if row["weekday_kind"] == kind
            and row["valid_from"] <= day.isoformat()
            and (not row["valid_to"] or day.isoformat() < row["valid_to"])
        )
