"""Minutes in which the exchange trades, from the hours of `loaders.calendar`."""

from datetime import date, datetime, time, timedelta
from functools import cache

from loaders import calendar

MINUTE = timedelta(minutes=1)
AUCTION = timedelta(minutes=10)


@cache
def regular_minutes(day: date) -> list[datetime]:
    """Starts of the minutes of a regular session in KST: continuous trading, and last the closing auction.

    Normally 09:00 to 15:19 and 15:30; later where the session opens late or is moved by an hour.
    """
    opens, closes = calendar.session_open(day), calendar.session_close(day)
    count = int((closes - AUCTION - opens) / MINUTE)
    return [opens + n * MINUTE for n in range(count)] + [closes]


@cache
def after_market_minutes(day: date) -> list[datetime]:
    """Starts of the minutes of the after-market in KST: 16:00 to 19:59."""
    opens = datetime.combine(day, time(16), calendar.KST)
    return [opens + n * MINUTE for n in range(240)]
