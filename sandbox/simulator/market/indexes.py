"""Indexes: who belongs to them from when, and their levels."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from sandbox.simulator.market.cast import SPLIT_OFF
from sandbox.simulator.market.securities import Bar, Stock

REVIEW = date(2026, 6, 12)
"""The regular review takes effect on the session after the second Thursday of June."""
REVIEW_ANNOUNCED = date(2026, 5, 26)
BOARDS = {"KOSPI": "KOSPI", "KOSDAQ": "KOSDAQ", "KOSPI200": "KOSPI", "KOSDAQ150": "KOSDAQ"}
FULL_COUNTS = {"KOSPI200": 200, "KOSDAQ150": 150}
START_LEVELS = {"KOSPI": 4_214.17, "KOSPI200": 604.48, "KOSDAQ": 925.47, "KOSDAQ150": 1_538.62}

KOSPI200 = ("990010", "990020", "990030", "990040", *(f"990{10 + number}0" for number in range(14)))
KOSDAQ150 = (
    "991010",
    "991020",
    "991030",
    "991040",
    "991050",
    *(f"991{20 + number}0" for number in range(7)),
)
# effective, announced, entered, left
EVENTS = {
    "KOSPI200": (
        # a split-off is a member from its listing on, in addition to the others
        (SPLIT_OFF, date(2026, 3, 9), "9900A0", None),
        (REVIEW, REVIEW_ANNOUNCED, "991010", "990100"),
        (REVIEW, REVIEW_ANNOUNCED, None, "990040"),
    ),
    "KOSDAQ150": (
        (date(2026, 5, 18), date(2026, 5, 12), "991270", "991010"),
        (REVIEW, REVIEW_ANNOUNCED, "991280", "991200"),
        (date(2026, 7, 8), date(2026, 7, 3), "991290", "991050"),
    ),
}


@dataclass(frozen=True)
class IndexChange:
    """A change of an index's members; one-sided where only one name enters or leaves.

    Attributes:
        effective: first session with the new members.
        announced: day of the exchange's notice.
        entered: new member.
        left: member until the session before.
    """

    effective: date
    announced: date
    entered: Stock | None
    left: Stock | None


@dataclass(frozen=True, slots=True)
class IndexBar:
    """An index on one session: levels with two decimals, volume in shares, value and market cap in won."""

    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    previous_close: Decimal
    volume: int
    value: int
    market_cap: int
    constituents: int
    traded: int
    advanced: int
    declined: int
    equal: int

    @property
    def change(self) -> Decimal:
        """Signed change against the previous close."""
        return self.close - self.previous_close

    @property
    def change_rate(self) -> Decimal:
        """Change against the previous close in percent, two decimals."""
        return _two(float(100 * self.change / self.previous_close))


def _two(number: float) -> Decimal:
    return Decimal(f"{number:.2f}")


class Indexes:
    """Members and levels of the four indexes.

    Args:
        stocks: of the whole market.
        sessions: of the market, oldest first.
        named: the small cast; the members among them are fixed, on a full market the greatest others join them.
    """

    def __init__(self, stocks: list[Stock], sessions: list[date], named: list[Stock]) -> None:
        self._stocks = stocks
        self._sessions = sessions
        self._named = {stock.code for stock in named}
        self._by_code = {stock.code: stock for stock in stocks}
        self._bars: dict[str, dict[date, IndexBar]] = {}
        self._members: dict[tuple[str, int], list[Stock]] = {}

    @cached_property
    def first_members(self) -> dict[str, list[Stock]]:
        """Members since before the first session."""
        fixed = {"KOSPI200": KOSPI200, "KOSDAQ150": KOSDAQ150}
        return {
            name: [self._by_code[code] for code in codes] + self._greatest(name, len(codes))
            for name, codes in fixed.items()
        }

    def _greatest(self, index_name: str, taken: int) -> list[Stock]:
        first = self._sessions[0]
        others = [
            stock
            for stock in self._stocks
            if stock.code not in self._named
            and stock.market == BOARDS[index_name]
            and stock.is_listed(first)
            and stock.delisted is None
        ]
        others.sort(key=lambda stock: (-stock.bars[first].market_cap, stock.code))
        return others[: FULL_COUNTS[index_name] - taken]

    @cached_property
    def changes(self) -> dict[str, list[IndexChange]]:
        """Changes by index, oldest first."""
        return {
            name: [
                IndexChange(
                    effective,
                    announced,
                    self._by_code[entered] if entered else None,
                    self._by_code[left] if left else None,
                )
                for effective, announced, entered, left in events
            ]
            for name, events in EVENTS.items()
        }

    def members(self, index_name: str, day: date) -> list[Stock]:
        """Members on a day, by code."""
        done = [change for change in self.changes[index_name] if change.effective <= day]
        key = (index_name, len(done))
        if key not in self._members:
            found = {stock.code: stock for stock in self.first_members[index_name]}
            for change in done:
                if change.left:
                    del found[change.left.code]
                if change.entered:
                    found[change.entered.code] = change.entered
            self._members[key] = [found[code] for code in sorted(found)]
        return self._members[key]

    def bars(self, index_name: str) -> dict[date, IndexBar]:
        """Levels by session: a chain of the members' value against their base prices."""
        if index_name not in self._bars:
            level = START_LEVELS[index_name]
            bars: dict[date, IndexBar] = {}
            for day in self._sessions:
                bars[day], level = self._bar(index_name, day, level)
            self._bars[index_name] = bars
        return self._bars[index_name]

    def _weighted(self, index_name: str, day: date) -> Iterable[tuple[Bar, int]]:
        """Bars with the shares that count: the floating ones where the index has chosen members."""
        if index_name in FULL_COUNTS:
            for stock in self.members(index_name, day):
                bar = stock.bars.get(day)
                if bar:
                    yield bar, stock.float_shares_on(day) or 0
            return
        for stock in self._stocks:
            bar = stock.bars.get(day)
            if bar and stock.board_on(day) == BOARDS[index_name]:
                yield bar, bar.shares

    def _bar(self, index_name: str, day: date, previous: float) -> tuple[IndexBar, float]:
        weighted = list(self._weighted(index_name, day))
        bars = [bar for bar, _ in weighted]
        base = sum(bar.base * shares for bar, shares in weighted)

        def level(field: str) -> float:
            # without a trade the exchange goes on with the base price
            worth = sum((getattr(bar, field) or bar.base) * shares for bar, shares in weighted)
            return previous * worth / base

        close = level("close")
        index_bar = IndexBar(
            day,
            _two(level("open")),
            _two(level("high")),
            _two(level("low")),
            _two(close),
            _two(previous),
            volume=sum(bar.volume for bar in bars),
            value=sum(bar.value for bar in bars),
            market_cap=sum(bar.market_cap for bar in bars),
            constituents=len(bars),
            traded=sum(bar.volume > 0 for bar in bars),
            advanced=sum(bar.change > 0 for bar in bars),
            declined=sum(bar.change < 0 for bar in bars),
            equal=sum(bar.change == 0 for bar in bars),
        )
        return index_bar, close
