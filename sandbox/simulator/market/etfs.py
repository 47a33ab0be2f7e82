"""Exchange traded funds: one on KOSPI200, one with a future, a bond and a short position, one of foreign shares.

Identifiers of futures, bonds and foreign money are invented on the pattern of real ones.
"""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from sandbox.simulator.market.cast import isin_of
from sandbox.simulator.market.indexes import Indexes
from sandbox.simulator.market.rules import etf_to_tick, with_check_digit
from sandbox.simulator.market.securities import Bar, Etf, Holding, Stock

Values = dict[date, int]
WON_DEPOSIT = ("010010", "KRD010010001", "원화예금")
CREATION_CASH = ("CASH00000001", "CASH00000001", "설정현금액")
DOLLAR_DEPOSIT = ("USDZZ0000001", "USDZZ0000001", "미국 달러 예금")
UNIT_TARGET = 2_000_000_000
FOREIGN = (
    # ticker, name, units in a creation unit, dollars on the first session
    ("VT US EQUITY", "Vanguard Total World Stock ETF", 1_960, 142.0),
    ("NVDA US EQUITY", "NVIDIA Corp", 2_300, 190.0),
    ("MSFT US EQUITY", "Microsoft Corp", 620, 485.0),
    ("2330 TT EQUITY", "Taiwan Semiconductor Manufacturing Co Ltd", 3_100, 49.0),
)


class _Index200:
    """Members of KOSPI200 by floating value, bought anew whenever the members change, and a little cash."""

    def __init__(self, sessions: list[date], indexes: Indexes, random: np.random.Generator) -> None:
        self.units: dict[date, list[tuple[Stock, int]]] = {}
        self.cash: Values = {}
        self.values: Values = {}
        self._sessions = sessions
        rebalanced, scale = sessions[0], 0.0
        members: list[Stock] = []
        for day in sessions:
            current = indexes.members("KOSPI200", day)
            if current != members:
                worth = (
                    sum(
                        self._held(stock, rebalanced, day, scale) * stock.bars[day].base
                        for stock in members
                        if day in stock.bars
                    )
                    or UNIT_TARGET
                )
                members, rebalanced = current, day
                floating = sum(
                    (stock.float_shares_on(day) or 0) * stock.bars[day].base for stock in members
                )
                scale = worth / floating
            units = [(stock, self._held(stock, rebalanced, day, scale)) for stock in members]
            stocks_worth = sum(count * stock.bars[day].close for stock, count in units)
            self.units[day] = units
            self.cash[day] = int(stocks_worth * random.uniform(0.006, 0.0065))
            self.values[day] = stocks_worth + self.cash[day]

    @staticmethod
    def _held(stock: Stock, since: date, day: date, scale: float) -> int:
        """Units held: bonus shares and split ones come on the ex-date, as the fund's index counts them."""
        floating = stock.float_shares_on(since) or 0
        return max(round(floating * scale / stock.price_factor(since, day)), 1)

    def holdings(self, _etf: Etf, day: date) -> list[Holding]:
        lines = [
            Holding(
                stock.code,
                stock.isin,
                stock.name_on(day),
                "STOCK",
                Decimal(count),
                Decimal(stock.bars[day].close),
                Decimal(stock.bars[day].base),
                count * stock.bars[day].close,
            )
            for stock, count in self.units[day]
        ]
        lines.sort(key=lambda line: -(line.value or 0))
        return [*lines, Holding(*WON_DEPOSIT, "DEPOSIT", None, None, None, self.cash[day])]


def future_of(day: date) -> tuple[str, str]:
    """Identifier and name of the nearest KOSPI200 future on a day; it expires on the second Thursday of its quarter."""
    for month in (3, 6, 9, 12):
        first = date(day.year, month, 1)
        expires = first + timedelta(days=(3 - first.weekday()) % 7 + 7)
        if day <= expires:
            break
    letter = "369C"[month // 3 - 1]
    return with_check_digit(f"KR4101X{letter}000"), f"코스피200 F {day.year}{month:02d}"


BOND = (with_check_digit("KR103501GG3"), "국고 표본 03000-3612")


class _Mixed:
    """A future, a bond, the first fund sold short, and cash; the future has no amount, so the parts do not add up."""

    def __init__(self, sessions: list[date], short: Etf, random: np.random.Generator) -> None:
        self._short = short
        self._bond_prices: dict[date, Decimal] = {}
        self._levels: dict[date, Decimal] = {}
        self.cash: Values = {}
        self.values: Values = {}
        price, worth = 9_987.0, 400_000_000.0
        for day in sessions:
            price *= 1 + float(random.normal(0, 0.0006))
            worth *= 1 + float(random.normal(0.0002, 0.004))
            self._bond_prices[day] = Decimal(f"{price:.2f}")
            level = Decimal(short.bars[day].close) / Decimal(100)
            self._levels[day] = level.quantize(Decimal("0.05"))
            self.values[day] = int(worth)
            self.cash[day] = int(worth * random.uniform(0.7, 0.72))

    def holdings(self, etf: Etf, day: date) -> list[Holding]:
        before = max((other for other in self.values if other < day), default=day)
        bonds, shorts = Decimal(12_000), Decimal(-324)
        bond, short = self._bond_prices[day], self._short.bars[day]
        code, name = future_of(day)
        return [
            Holding(
                self._short.code, self._short.isin, self._short.name, "ETF", shorts, Decimal(short.close),
                Decimal(short.base), int(shorts * short.close),
            ),
            Holding(
                code, code, name, "FUTURE", Decimal("-3.58"), self._levels[day] * 250_000,
                self._levels[before] * 250_000, None,
            ),
            Holding(*(BOND[0], *BOND), "BOND", bonds, bond, self._bond_prices[before], int(bonds * bond)),
            Holding(*WON_DEPOSIT, "DEPOSIT", None, None, None, self.cash[day]),
            Holding(*CREATION_CASH, "CREATION_CASH", None, None, None, etf.unit_values[day]),
        ]  # fmt: skip


class _Foreign:
    """Foreign shares by their tickers, in won at the day's rate, and dollars."""

    def __init__(self, sessions: list[date], random: np.random.Generator) -> None:
        self._prices: dict[date, list[Decimal]] = {}
        self.cash: Values = {}
        self.values: Values = {}
        rate = 1_442.0
        dollars = [price for _, _, _, price in FOREIGN]
        for day in sessions:
            rate *= 1 + float(random.normal(0, 0.004))
            moves = random.normal(0.0005, 0.014, size=len(dollars))
            dollars = [
                price * (1 + float(move)) for price, move in zip(dollars, moves, strict=True)
            ]
            self._prices[day] = [Decimal(f"{price * rate:.2f}") for price in dollars]
            self.cash[day] = int(random.uniform(30_000, 34_000) * rate)
            self.values[day] = self.cash[day] + sum(
                int(units * price)
                for (_, _, units, _), price in zip(FOREIGN, self._prices[day], strict=True)
            )

    def holdings(self, _etf: Etf, day: date) -> list[Holding]:
        before = max((other for other in self.values if other < day), default=day)
        lines = [
            Holding(
                ticker, "", name, "FOREIGN", Decimal(units), price, previous, int(units * price)
            )
            for (ticker, name, units, _), price, previous in zip(
                FOREIGN, self._prices[day], self._prices[before], strict=True
            )
        ]
        return [*lines, Holding(*DOLLAR_DEPOSIT, "DEPOSIT", None, None, None, self.cash[day])]


def _trade(etf: Etf, shares: int, random: np.random.Generator) -> None:
    """Bars near the net asset value; shares are created and redeemed in whole units."""
    previous: int | None = None
    for day, worth in etf.unit_values.items():
        nav = worth / etf.creation_unit
        moves = random.normal(0, 0.002, size=3)
        turnover = float(random.lognormal(-3.5, 0.5))
        shares = max(shares + int(random.integers(-2, 4)) * etf.creation_unit, etf.creation_unit)
        close = etf_to_tick(nav * (1 + float(moves[0]) / 2))
        base = previous or close
        open_ = etf_to_tick(base * (1 + float(moves[1])))
        high = etf_to_tick(max(open_, close) * (1 + abs(float(moves[2]))))
        low = etf_to_tick(min(open_, close) * (1 - abs(float(moves[1]))))
        volume = max(int(shares * turnover), 100)
        value = volume * (low + high + 2 * close) // 4
        etf.bars[day] = Bar(day, open_, high, low, close, base, volume, value, shares)
        previous = close


def make(sessions: list[date], indexes: Indexes, random: np.random.Generator) -> list[Etf]:
    """The three funds with values, bars and holdings, by code."""
    index200 = _Index200(sessions, indexes, random)
    first = Etf(
        "993010", "표본 200", "SAMPLE 200", isin_of("993010"), date(2012, 4, 17), 50_000, "표본자산운용", "99001",
        "코스피 200", "KRX", "0.150", index200.holdings, index200.values,
    )  # fmt: skip
    _trade(first, 4_000_000, random)
    foreign = _Foreign(sessions, random)
    third = Etf(
        "993020", "표본 글로벌주식액티브", "SAMPLE Global Equity Active", isin_of("993020"), date(2021, 6, 22), 50_000,
        "견본자산운용", "99002", "MSCI ACWI", "MSCI", "0.800", foreign.holdings, foreign.values,
    )  # fmt: skip
    _trade(third, 1_500_000, random)
    mixed = _Mixed(sessions, first, random)
    second = Etf(
        "9930A0", "표본 200선물인버스혼합", "SAMPLE 200 Futures Inverse Mix", isin_of("9930A0"), date(2025, 9, 16), 40_000,
        "견본자산운용", "99002", "코스피 200 선물지수", "KRX", "0.640", mixed.holdings, mixed.values, is_fully_valued=False,
    )  # fmt: skip
    _trade(second, 800_000, random)
    return sorted((first, second, third), key=lambda etf: etf.code)
