"""What the market consists of: stocks with their bars and flows, exchange traded funds with their holdings."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from loaders import calendar
from sandbox.simulator.market.industries import Sectors
from sandbox.simulator.market.rules import limits

LEAVES = (
    "금융투자", "보험", "투신", "사모", "은행", "기타금융", "연기금 등", "기타법인", "개인", "외국인", "기타외국인",
)  # fmt: skip
"""The exchange's eleven investor types."""

Flow = tuple[int, int, int, int]
"""Bought volume, sold volume, bought value, sold value."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stock on one session, as the exchange publishes it; prices and values in won."""

    day: date
    open: int
    high: int
    low: int
    close: int
    base: int
    volume: int
    value: int
    shares: int

    @property
    def change(self) -> int:
        """Signed change against the base price."""
        return self.close - self.base

    @property
    def change_rate(self) -> float:
        """Change against the base price in percent, two decimals."""
        return round(100 * self.change / self.base, 2)

    @property
    def market_cap(self) -> int:
        """Close times listed shares, won."""
        return self.close * self.shares


@dataclass(frozen=True, slots=True)
class ForeignHolding:
    """What foreigners hold of a stock at the end of a day, and what they may hold, in shares."""

    shares: int
    limit_shares: int
    listed_shares: int

    @property
    def ratio(self) -> float:
        """Held shares in percent of the listed ones, two decimals."""
        return round(100 * self.shares / self.listed_shares, 2)

    @property
    def limit_ratio(self) -> float:
        """Allowed shares in percent of the listed ones, two decimals."""
        return round(100 * self.limit_shares / self.listed_shares, 2)

    @property
    def exhaustion(self) -> float:
        """Held shares in percent of the allowed ones, two decimals."""
        return round(100 * self.shares / self.limit_shares, 2)


@dataclass(eq=False)
class Stock:
    """A security of the sample market with its life and its bars."""

    code: str
    name: str
    name_en: str
    market: str
    isin: str
    listed: date
    price: int
    shares: int
    section: str = ""
    group: str = "주권"
    kind: str = "보통주"
    par: str = "500"
    infomax_type: str = "ST"
    delisted: date | None = None
    renamed: tuple[date, str] | None = None
    moved: tuple[date, str, str] | None = None
    suspended: tuple[date, ...] = ()
    actions: dict[date, tuple[float, float]] = field(default_factory=dict)
    """Ex-date to (price factor, share factor): the two differ where new shares are listed later."""
    liquidation_from: date | None = None
    trades_seldom: bool = False
    krx_sectors: Sectors | None = None
    """Big, middle and small index industry at the start; `krx_sectors_on` tells of a day."""
    wics: str | None = None
    """WICS industry group (level 2) at the start; `wics_on` tells of a day."""
    reclassified: tuple[date, Sectors | None, str | None] | None = None
    float_ratio: float | None = None
    """Share of the listed shares that is free to trade, 0.2 to 0.9; None for preferred shares and KONEX."""
    float_changed: tuple[date, float] | None = None
    par_changed: tuple[date, str] | None = None
    foreign_limit: float = 1.0
    delisting_reason: str = ""
    bars: dict[date, Bar] = field(default_factory=dict)
    draw_flows: Callable[["Stock"], Mapping[date, dict[str, Flow]]] | None = None
    draw_foreign: Callable[["Stock"], dict[date, ForeignHolding]] | None = None

    @cached_property
    def flows(self) -> Mapping[date, dict[str, Flow]]:
        """Session to leaf to (bought volume, sold volume, bought value, sold value)."""
        return self.draw_flows(self) if self.draw_flows else {}

    @cached_property
    def foreign(self) -> dict[date, ForeignHolding]:
        """Session to what foreigners hold after it."""
        return self.draw_foreign(self) if self.draw_foreign else {}

    @cached_property
    def bar_days(self) -> list[date]:
        """Sessions with a bar, oldest first."""
        return sorted(self.bars)

    @property
    def is_preferred(self) -> bool:
        """Whether it is a preferred share."""
        return self.kind != "보통주"

    def name_on(self, day: date) -> str:
        """Short name on a day."""
        return self.renamed[1] if self.renamed and day >= self.renamed[0] else self.name

    def market_on(self, day: date) -> tuple[str, str]:
        """Market and board section on a day."""
        if self.moved and day >= self.moved[0]:
            return self.moved[1], self.moved[2]
        return self.market, self.section

    def board_on(self, day: date) -> str:
        """KOSPI, KOSDAQ or KONEX on a day: KOSDAQ GLOBAL is a segment of KOSDAQ."""
        return self.market_on(day)[0].split()[0]

    def krx_sectors_on(self, day: date) -> Sectors | None:
        """Big, middle and small index industry on a day."""
        if self.reclassified and day >= self.reclassified[0]:
            return self.reclassified[1]
        return self.krx_sectors

    def wics_on(self, day: date) -> str | None:
        """WICS industry group on a day."""
        if self.reclassified and day >= self.reclassified[0]:
            return self.reclassified[2]
        return self.wics

    def par_on(self, day: date) -> str:
        """Par value on a day."""
        return self.par_changed[1] if self.par_changed and day >= self.par_changed[0] else self.par

    def bar_on(self, day: date) -> Bar | None:
        """The bar of a day, or of the last session before it; None before the first one."""
        found = bisect_right(self.bar_days, day)
        return self.bars[self.bar_days[found - 1]] if found else None

    def shares_on(self, day: date) -> int:
        """Listed shares on a day."""
        bar = self.bar_on(day)
        return bar.shares if bar else self.shares

    def float_ratio_on(self, day: date) -> float | None:
        """Share of the listed shares that is free to trade on a day, 0 to 1."""
        if self.float_changed and day >= self.float_changed[0]:
            return self.float_changed[1]
        return self.float_ratio

    def float_shares_on(self, day: date) -> int | None:
        """Float-adjusted shares on a day, or None where there are none: preferred shares and KONEX."""
        ratio = self.float_ratio_on(day)
        return None if ratio is None else round(self.shares_on(day) * ratio)

    def limits_on(self, day: date) -> tuple[int, int] | None:
        """Lower and upper limit of a session; None without a bar and in liquidation trading, which has none."""
        bar = self.bars.get(day)
        if bar is None or self.is_in_liquidation(day):
            return None
        return limits(bar.base, 0.15 if self.market_on(day)[0] == "KONEX" else 0.30)

    def is_listed(self, day: date) -> bool:
        """Whether the security is listed on a day."""
        return self.listed <= day and (self.delisted is None or day < self.delisted)

    def is_halted(self, day: date) -> bool:
        """Whether trading is suspended on a day."""
        return day in self.suspended

    def is_administrative(self, day: date) -> bool:
        """Whether it is an issue for administration (관리종목) on a day."""
        return self.market_on(day)[1].startswith("관리종목")

    def is_in_liquidation(self, day: date) -> bool:
        """Whether a day belongs to its liquidation trading (정리매매)."""
        return self.liquidation_from is not None and self.liquidation_from <= day

    @property
    def liquidation(self) -> tuple[date, date] | None:
        """First and last session of its liquidation trading."""
        if self.liquidation_from is None or self.delisted is None:
            return None
        return self.liquidation_from, calendar.previous_session(self.delisted)

    def price_factor(self, after: date, until: date) -> float:
        """Product of the price factors of ex-dates in (after, until]."""
        factor = 1.0
        for day, (price_factor, _) in self.actions.items():
            if after < day <= until:
                factor *= price_factor
        return factor


@dataclass(frozen=True, slots=True)
class Holding:
    """One line of what a fund delivers for one creation unit.

    Attributes:
        code: short code; `010010` for deposits in won.
        isin: twelve characters; empty where the fund tells a ticker only.
        name: as the fund writes it.
        kind: STOCK, ETF, FUTURE, BOND, FOREIGN, DEPOSIT or CREATION_CASH. CREATION_CASH is the whole amount of
            the unit told once more, not a part of it.
        shares: units a creation unit holds, negative when short, None for cash.
        price: of one unit at the close, won.
        previous_price: the same one session earlier; the base price of a stock.
        value: amount in won; None where the fund tells none, as for futures.
    """

    code: str
    isin: str
    name: str
    kind: str
    shares: Decimal | None
    price: Decimal | None
    previous_price: Decimal | None
    value: int | None


@dataclass(eq=False)
class Etf:
    """An exchange traded fund: bars of its own, net asset values, and holdings by day.

    `bars[day].shares` are the fund's listed shares.
    """

    code: str
    name: str
    name_en: str
    isin: str
    listed: date
    creation_unit: int
    manager: str
    manager_code: str
    underlying_index: str
    index_agency: str
    total_fee: str
    draw_holdings: Callable[["Etf", date], list[Holding]]
    unit_values: dict[date, int] = field(default_factory=dict)
    """Session to the amount of one creation unit, won."""
    bars: dict[date, Bar] = field(default_factory=dict)
    infomax_type: str = "EF"
    market: str = "KOSPI"
    group: str = "ETF"
    is_fully_valued: bool = True
    """Whether the amounts of the holdings add up to the unit; not so with futures."""
    _holdings: dict[date, list[Holding]] = field(default_factory=dict)

    def name_on(self, _day: date) -> str:
        """Short name on a day."""
        return self.name

    def is_listed(self, day: date) -> bool:
        """Whether it is listed on a day."""
        return self.listed <= day

    def unit_value(self, day: date) -> int | None:
        """Amount of one creation unit at the close, won; None on days without a session."""
        return self.unit_values.get(day)

    def nav(self, day: date) -> Decimal | None:
        """Net asset value of one share, won, two decimals."""
        value = self.unit_values.get(day)
        return None if value is None else (Decimal(value) / self.creation_unit).quantize(CENT)

    def net_asset(self, day: date) -> int | None:
        """Net assets of the fund, won."""
        bar = self.bars.get(day)
        return None if bar is None else self.unit_values[day] * (bar.shares // self.creation_unit)

    def listed_shares(self, day: date) -> int | None:
        """Listed shares of the fund, a multiple of the creation unit."""
        bar = self.bars.get(day)
        return bar.shares if bar else None

    def holdings(self, day: date) -> list[Holding]:
        """What one creation unit holds at the close; empty on days without a session."""
        if day not in self.unit_values:
            return []
        if day not in self._holdings:
            self._holdings[day] = self.draw_holdings(self, day)
        return self._holdings[day]


CENT = Decimal("0.01")

Security = Stock | Etf
