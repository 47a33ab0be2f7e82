"""The market: every security with every bar, and what follows from them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import cache

import numpy as np

from loaders import calendar
from sandbox.simulator.market import actions, etfs, indexes, minutes
from sandbox.simulator.market.actions import CorporateAction
from sandbox.simulator.market.cast import FULL_SIZE, describe, more_names, small_cast
from sandbox.simulator.market.hours import after_market_minutes, regular_minutes
from sandbox.simulator.market.indexes import IndexBar, IndexChange
from sandbox.simulator.market.minutes import MinuteBar
from sandbox.simulator.market.rules import (
    AFTER_MARKET_FROM,
    FIRST_SESSION,
    LAST_SESSION,
    etf_to_ticks,
    limits,
    to_tick,
    to_ticks,
)
from sandbox.simulator.market.securities import (
    LEAVES,
    Bar,
    Etf,
    Flow,
    ForeignHolding,
    Security,
    Stock,
)

LEAF_WEIGHTS = np.array([8, 1, 3, 2, 0.4, 0.3, 5, 2, 55, 22, 1.3])
RETAIL = LEAVES.index("개인")
SIZES = ("small", "full")
MINUTES_KEPT = 1_000  # days of a stock, some 100 MB

# every kind of fact draws from generators of its own: the market of a seed keeps its bars when a kind is added
FACTS, FOREIGN, NAMES, MORE, MORE_FLOWS, MINUTES, AFTER_MARKET, FUNDS = range(1001, 1009)


class Market:
    """All securities with all their bars and flows, and the indexes, funds, minutes and events that go with them.

    Args:
        seed: the same seed gives the same market to the digit.
        size: `small` for some sixty names, `full` for 2,800, the small ones among them.
    """

    def __init__(self, seed: int, size: str = "small") -> None:
        if size not in SIZES:
            raise ValueError(f"size is {size!r}; it is one of {', '.join(SIZES)}")
        self.seed = seed
        self.size = size
        self.sessions = calendar.sessions(FIRST_SESSION, LAST_SESSION)
        named = small_cast()
        for position, stock in enumerate(named):
            self._trade(stock, np.random.default_rng([seed, position]))
        more = self._more(len(named))
        for position, stock in (*enumerate(named), *enumerate(more)):
            describe(stock, np.random.default_rng([seed, FACTS, self._number(stock)]), position)
            stock.draw_foreign = self._draw_foreign
        self.stocks = sorted(named + more, key=lambda stock: stock.code)
        self._by_code: dict[str, Stock] = {stock.code: stock for stock in self.stocks}
        self._indexes = indexes.Indexes(self.stocks, self.sessions, named)
        self.etfs: list[Etf] = etfs.make(
            self.sessions, self._indexes, np.random.default_rng([seed, FUNDS])
        )
        """Exchange traded funds, kept apart from the stocks."""
        self.corporate_actions: list[CorporateAction] = actions.make(self.stocks)
        """Records of corporate actions, oldest ex-date first."""
        self._minutes: dict[tuple[str, date, str], list[MinuteBar]] = {}

    def by_code(self, code: str) -> Stock | None:
        """The stock with a short code, or None."""
        return self._by_code.get(code)

    def by_isin(self, isin: str) -> Stock | None:
        """The stock with an ISIN, or None."""
        return next((stock for stock in self.stocks if stock.isin == isin), None)

    def etf(self, code: str) -> Etf | None:
        """The fund with a short code or an ISIN, or None."""
        return next((etf for etf in self.etfs if code in (etf.code, etf.isin)), None)

    def security(self, code: str) -> Security | None:
        """The stock or the fund with a short code, or None."""
        return self.by_code(code) or self.etf(code)

    def listed(self, day: date) -> list[Stock]:
        """Stocks listed on a day, by code."""
        return [stock for stock in self.stocks if stock.is_listed(day)]

    def holidays(self, year: int) -> list[tuple[date, str]]:
        """Weekdays of a year without a session, with their Korean reason."""
        return calendar.closures(date(year, 1, 1), date(year, 12, 31))

    def index_members(self, index_name: str, day: date) -> list[Stock]:
        """Members of KOSPI200 or KOSDAQ150 on a day, by code.

        Raises:
            KeyError: the index has no members here.
        """
        return self._indexes.members(index_name, day)

    def index_changes(self, index_name: str) -> list[IndexChange]:
        """Changes of the members of KOSPI200 or KOSDAQ150, oldest first.

        Raises:
            KeyError: the index has no members here.
        """
        return self._indexes.changes[index_name]

    def index_bars(self, index_name: str) -> dict[date, IndexBar]:
        """Levels of KOSPI, KOSPI200, KOSDAQ or KOSDAQ150 by session.

        Raises:
            KeyError: there is no such index.
        """
        return self._indexes.bars(index_name)

    def underlying_bar(self, etf: Etf, day: date) -> IndexBar | None:
        """The index of a fund on a session; None for the index of another company."""
        return self.index_bars("KOSPI200")[day] if etf.underlying_index == "코스피 200" else None

    def minutes(self, security: Security, day: date) -> list[MinuteBar]:
        """Minutes with trades of a regular session, oldest first; they add up to the day's bar."""
        bar = security.bars.get(day)
        if bar is None or bar.volume == 0:
            return []
        rounding = etf_to_ticks if isinstance(security, Etf) else to_ticks
        return self._kept(
            (security.code, day, "regular"),
            lambda: minutes.spread_over(
                bar, regular_minutes(day), self._of_day(MINUTES, security.code, day), rounding
            ),
        )

    def minutes_until(self, security: Security, day: date, now: datetime) -> list[MinuteBar]:
        """Minutes of a day, the after-market's too, as they stand at a moment; the one that goes on is not whole."""
        bars = [*self.minutes(security, day), *self.after_market_minutes(security, day)]
        return minutes.until(bars, now)

    def after_market_minutes(self, security: Security, day: date) -> list[MinuteBar]:
        """Minutes with trades from 16:00 to 20:00, in no part of the day's bar; none before 2026-09-14, none of funds.

        KONEX has none either, nor has liquidation trading.
        """
        bar = security.bars.get(day)
        if isinstance(security, Etf) or day < AFTER_MARKET_FROM or bar is None or bar.volume == 0:
            return []
        bounds = security.limits_on(day)
        if bounds is None or security.market_on(day)[0] == "KONEX":
            return []
        return self._kept(
            (security.code, day, "after"),
            lambda: minutes.after_market(
                bar,
                bounds,
                after_market_minutes(day),
                self._of_day(AFTER_MARKET, security.code, day),
            ),
        )

    def _kept(
        self, key: tuple[str, date, str], make: Callable[[], list[MinuteBar]]
    ) -> list[MinuteBar]:
        found = self._minutes.get(key)
        if found is None:
            if len(self._minutes) >= MINUTES_KEPT:
                self._minutes.clear()
            found = self._minutes[key] = make()
        return found

    def _of_day(self, kind: int, code: str, day: date) -> np.random.Generator:
        return np.random.default_rng([self.seed, kind, int(code, 36), day.toordinal()])

    @staticmethod
    def _number(stock: Stock) -> int:
        return int(stock.code, 36)

    def _more(self, count: int) -> list[Stock]:
        if self.size == "small":
            return []
        stocks = more_names(np.random.default_rng([self.seed, NAMES]), FULL_SIZE - count)
        for stock in stocks:
            self._trade_at_once(
                stock, np.random.default_rng([self.seed, MORE, self._number(stock)])
            )
            stock.draw_flows = self._draw_flows
        return stocks

    def _draw_foreign(self, stock: Stock) -> dict[date, ForeignHolding]:
        """Foreigners start with a part of what they may hold, and hold more by what they buy net."""
        random = np.random.default_rng([self.seed, FOREIGN, self._number(stock)])
        start = float(random.uniform(0.03, 0.5)) * stock.foreign_limit
        held: int | None = None
        holdings = {}
        for day in stock.bar_days:
            shares = stock.bars[day].shares
            if held is None:
                held = int(shares * start)
            elif day in stock.actions:
                held = round(held * stock.actions[day][1])
            leaves = stock.flows.get(day, {})
            for leaf in ("외국인", "기타외국인"):
                if leaf in leaves:
                    held += leaves[leaf][0] - leaves[leaf][1]
            limit = int(shares * stock.foreign_limit)
            held = min(max(held, 0), limit)
            holdings[day] = ForeignHolding(held, limit, shares)
        return holdings

    def _trade(self, stock: Stock, random: np.random.Generator) -> None:
        close, shares = stock.price, stock.shares
        ratio = 0.15 if stock.market == "KONEX" else 0.30
        flows: dict[date, dict[str, Flow]] = {}
        stock.draw_flows = lambda _stock: flows
        for day in self.sessions:
            if not stock.is_listed(day):
                continue
            price_factor, share_factor = stock.actions.get(day, (1.0, 1.0))
            base = to_tick(close * price_factor) if price_factor != 1 else close
            shares = round(shares * share_factor)
            # drawn on every day, so that an event moves no other day's numbers
            moves = random.normal(0.0004, 0.019, size=4)
            turnover = random.lognormal(-5.6, 0.7)
            quiet = random.random() < 0.6
            if day in stock.suspended or (stock.trades_seldom and quiet):
                close = base
                stock.bars[day] = Bar(day, 0, 0, 0, base, base, 0, 0, shares)
                continue
            bounds = limits(base, ratio)
            if stock.liquidation_from and day >= stock.liquidation_from:
                bounds, moves = (1, base * 10), moves * 12 - 0.2
            prices = [self._within(base * (1 + move), bounds) for move in moves]
            open_, close = prices[0], prices[1]
            high, low = max(prices), min(prices)
            volume = max(int(shares * turnover), 10)
            value = int(volume * (low + high + 2 * close) // 4)
            stock.bars[day] = Bar(day, open_, high, low, close, base, volume, value, shares)
            flows[day] = self._split_flows(volume, value, random)

    @staticmethod
    def _within(price: float, bounds: tuple[int, int]) -> int:
        return min(max(to_tick(max(price, 1)), bounds[0]), bounds[1])

    @staticmethod
    def _split_flows(
        volume: int, value: int, random: np.random.Generator
    ) -> dict[str, tuple[int, int, int, int]]:
        """Split the day's volume and value over the leaves, bought and sold, to the last share and won."""

        def split(total: int, shares_of: np.ndarray) -> list[int]:
            parts = [int(part) for part in np.floor(total * shares_of / shares_of.sum())]
            parts[8] += total - sum(parts)  # 개인 takes the rest
            return parts

        bought = LEAF_WEIGHTS * random.lognormal(0, 0.5, size=len(LEAVES))
        sold = LEAF_WEIGHTS * random.lognormal(0, 0.5, size=len(LEAVES))
        columns = (
            split(volume, bought),
            split(volume, sold),
            split(value, bought),
            split(value, sold),
        )
        return {leaf: tuple(column[n] for column in columns) for n, leaf in enumerate(LEAVES)}  # type: ignore[misc]

    def _trade_at_once(self, stock: Stock, random: np.random.Generator) -> None:
        """As `_trade`, with all draws of a stock at once: 2,742 names would take half a minute the other way."""
        count = len(self.sessions)
        all_moves = np.clip(random.normal(0.0004, 0.019, size=(count, 4)), -0.29, 0.29).tolist()
        turnovers = random.lognormal(-5.6, 0.7, size=count).tolist()
        quiet = (random.random(count) < 0.6).tolist()
        close, shares = stock.price, stock.shares
        ratio = 0.15 if stock.market == "KONEX" else 0.30
        for number, day in enumerate(self.sessions):
            if not stock.is_listed(day):
                continue
            price_factor, share_factor = stock.actions.get(day, (1.0, 1.0))
            base = to_tick(close * price_factor) if price_factor != 1 else close
            shares = round(shares * share_factor)
            if day in stock.suspended or (stock.trades_seldom and quiet[number]):
                close = base
                stock.bars[day] = Bar(day, 0, 0, 0, base, base, 0, 0, shares)
                continue
            bounds = limits(base, ratio)
            moves = all_moves[number]
            if stock.is_in_liquidation(day):
                bounds, moves = (1, base * 10), [move * 12 - 0.2 for move in moves]
            prices = [self._within(base * (1 + move), bounds) for move in moves]
            open_, close = prices[0], prices[1]
            high, low = max(prices), min(prices)
            volume = max(int(shares * turnovers[number]), 10)
            value = volume * (low + high + 2 * close) // 4
            stock.bars[day] = Bar(day, open_, high, low, close, base, volume, value, shares)

    def _draw_flows(self, stock: Stock) -> Mapping[date, dict[str, Flow]]:
        random = np.random.default_rng([self.seed, MORE_FLOWS, self._number(stock)])
        bars = [bar for bar in stock.bars.values() if bar.volume]
        weights = LEAF_WEIGHTS * random.lognormal(0, 0.5, size=(2, len(bars), len(LEAVES)))
        weights /= weights.sum(axis=2, keepdims=True)
        columns = []
        for amounts in ([bar.volume for bar in bars], [bar.value for bar in bars]):
            totals = np.array(amounts, dtype=np.int64)
            for side in (0, 1):
                parts = np.floor(totals[:, None] * weights[side]).astype(np.int64)
                parts[:, RETAIL] += totals - parts.sum(axis=1)
                columns.append(parts)
        return _PackedFlows([bar.day for bar in bars], np.stack(columns, axis=-1))


class _PackedFlows(Mapping[date, dict[str, Flow]]):
    """Flows of a stock in one array: as dictionaries those of 2,742 names take more than a gigabyte."""

    def __init__(self, days: list[date], numbers: np.ndarray) -> None:
        self._positions = {day: number for number, day in enumerate(days)}
        self._numbers = numbers

    def __getitem__(self, day: date) -> dict[str, Flow]:
        rows = self._numbers[self._positions[day]].tolist()
        return {
            leaf: (bought, sold, bought_value, sold_value)
            for leaf, (bought, sold, bought_value, sold_value) in zip(LEAVES, rows, strict=True)
        }

    def __iter__(self) -> Iterator[date]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


@cache
def market(seed: int, size: str = "small") -> Market:
    """The market of a seed and size, made once per process."""
    return Market(seed, size)
