"""Rules of the exchange that the market keeps to: ticks, price limits, identifiers, days as text."""

from datetime import date

import numpy as np

FIRST_SESSION = date(2026, 1, 2)
LAST_SESSION = date(2026, 10, 8)
AFTER_MARKET_FROM = date(2026, 9, 14)
"""Since then the exchange trades from 16:00 to 20:00 as well."""

TICKS = ((2_000, 1), (5_000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500))
TICK_BOUNDS = np.array([bound for bound, _ in TICKS])
TICK_SIZES = np.array([size for _, size in TICKS] + [1_000])


def tick(price: int) -> int:
    """Tick of a price on the table of 2023-01-25, in won."""
    return next((size for bound, size in TICKS if price < bound), 1_000)


def to_tick(price: float) -> int:
    """The nearest price on the tick table, at least one won."""
    size = tick(int(price))
    return max(round(price / size) * size, size)


def to_ticks(prices: np.ndarray) -> np.ndarray:
    """`to_tick` for many prices at once."""
    sizes = TICK_SIZES[np.searchsorted(TICK_BOUNDS, prices.astype(np.int64), side="right")]
    return np.asarray(np.maximum(np.rint(prices / sizes).astype(np.int64) * sizes, sizes))


def etf_to_tick(price: float) -> int:
    """The nearest price of an exchange traded fund: steps of 5 won, of 1 below 2,000."""
    size = 1 if price < 2_000 else 5
    return max(round(price / size) * size, size)


def limits(base: int, ratio: float) -> tuple[int, int]:
    """Lowest and highest price of a day, rounded inward to the tick."""
    low, high = base * (1 - ratio), base * (1 + ratio)
    low_tick, high_tick = tick(int(low)), tick(int(high))
    return int(-(-low // low_tick)) * low_tick, int(high // high_tick) * high_tick


def check_digit(body: str) -> int:
    """Check digit of an ISIN: Luhn over the body with letters as 10 to 35."""
    digits = "".join(str(int(character, 36)) for character in body)
    total = 0
    for position, character in enumerate(reversed(digits)):
        number = int(character) * (2 if position % 2 == 0 else 1)
        total += number // 10 + number % 10
    return -total % 10


def with_check_digit(body: str) -> str:
    """An ISIN from its first eleven characters."""
    return body + str(check_digit(body))


def yyyymmdd(day: date) -> str:
    """A day as vendors write it."""
    return day.strftime("%Y%m%d")


def parse_day(text: str | None) -> date | None:
    """A day from YYYYMMDD, or None where there is none or it is no day."""
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}") if text else None
    except ValueError:
        return None


def etf_to_ticks(prices: np.ndarray) -> np.ndarray:
    """`etf_to_tick` for many prices at once."""
    sizes = np.where(prices < 2_000, 1, 5)
    return np.maximum(np.rint(prices / sizes).astype(np.int64) * sizes, sizes)
