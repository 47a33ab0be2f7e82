"""Our calendar against a public one with a list of known differences, and against the mart's seed rules."""

from datetime import date

import exchange_calendars
import pytest

from loaders import calendar
from loaders.errors import UsageError

KNOWN_DIFFERENCES = {
    date(2026, 6, 3): "local elections; the public calendar has it open",
    date(2026, 7, 17): "Constitution Day is a holiday again; the public calendar has it open",
}


def test_sessions_equal_the_public_calendar_but_for_known_days() -> None:
    public = exchange_calendars.get_calendar("XKRX", start="1999-01-04", end="2026-12-31")
    theirs = {session.date() for session in public.sessions}
    ours = set(calendar.sessions(date(1999, 1, 4), date(2026, 12, 31)))
    assert theirs ^ ours == set(KNOWN_DIFFERENCES)


def test_saturdays_were_sessions_until_december_1998() -> None:
    assert calendar.is_session(date(1997, 3, 8))
    assert not calendar.is_session(date(1998, 12, 12))


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        (date(2016, 7, 29), "15:00"),
        (date(2016, 8, 1), "15:30"),
        (date(2025, 11, 13), "16:30"),
        (date(1997, 3, 8), "11:30"),
    ],
)
def test_the_close_follows_the_regime_of_its_day(day: date, closes: str) -> None:
    assert f"{calendar.session_close(day):%H:%M}" == closes


def test_neighbours_step_over_chuseok() -> None:
    assert calendar.next_session(date(2026, 9, 23)) == date(2026, 9, 28)
    assert calendar.previous_session(date(2026, 9, 28)) == date(2026, 9, 23)


def test_a_day_outside_the_calendar_says_what_to_extend() -> None:
    with pytest.raises(UsageError, match="extend seeds/calendar"):
        calendar.is_session(date(2031, 1, 2))
