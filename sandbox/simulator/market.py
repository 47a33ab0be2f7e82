"""The sample market: about sixty invented names, deterministic from a seed, consistent across vendors and days.

Codes are valid by the exchange's pattern but belong to nobody on purpose (99xxxx and the like); names say that they are samples.
What happens in it stands in `events()` and in README.md.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import cache

import numpy as np

from loaders import calendar

FIRST_SESSION = date(2026, 1, 2)
LAST_SESSION = date(2026, 10, 8)

LEAVES = (
    "금융투자", "보험", "투신", "사모", "은행", "기타금융", "연기금 등", "기타법인", "개인", "외국인", "기타외국인",
)  # fmt: skip
"""The exchange's eleven investor types."""
LEAF_WEIGHTS = np.array([8, 1, 3, 2, 0.4, 0.3, 5, 2, 55, 22, 1.3])

TICKS = ((2_000, 1), (5_000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500))


def tick(price: int) -> int:
    """Tick of a price on the table of 2023-01-25, in won."""
    return next((size for bound, size in TICKS if price < bound), 1_000)


def to_tick(price: float) -> int:
    """The nearest price on the tick table, at least one won."""
    size = tick(int(price))
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


@dataclass(frozen=True)
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


@dataclass
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
    bars: dict[date, Bar] = field(default_factory=dict)
    flows: dict[date, dict[str, tuple[int, int, int, int]]] = field(default_factory=dict)
    """Session to leaf to (bought volume, sold volume, bought value, sold value)."""

    def name_on(self, day: date) -> str:
        """Short name on a day."""
        return self.renamed[1] if self.renamed and day >= self.renamed[0] else self.name

    def market_on(self, day: date) -> tuple[str, str]:
        """Market and board section on a day."""
        if self.moved and day >= self.moved[0]:
            return self.moved[1], self.moved[2]
        return self.market, self.section

    def is_listed(self, day: date) -> bool:
        """Whether the security is listed on a day."""
        return self.listed <= day and (self.delisted is None or day < self.delisted)


def _isin(code: str, issue: str = "00", issuer: str | None = None) -> str:
    body = f"KR7{issuer or code}{issue}"
    return body + str(check_digit(body))


def _cast() -> list[Stock]:
    """The names and what happens to them. Dates are sessions of 2026."""
    old = date(2010, 3, 2)
    stocks = [
        Stock("990010", "표본전자", "Sample Electronics", "KOSPI", _isin("990010"), old, 2_500_000, 12_000_000,
              suspended=(date(2026, 4, 27), date(2026, 4, 28), date(2026, 4, 29)),
              actions={date(2026, 4, 30): (1 / 50, 50.0)}, par="5000"),
        Stock("990015", "표본전자우", "Sample Electronics (1P)", "KOSPI", _isin("990011"), old,
              61_000, 4_000_000, kind="구형우선주"),
        Stock("99002K", "표본화학2우B", "Sample Chemical (2PB)", "KOSPI", _isin("99002K", "01"), old,
              33_500, 800_000, kind="신형우선주"),
        Stock("990020", "표본화학", "Sample Chemical", "KOSPI", _isin("990020"), old, 48_000, 30_000_000,
              actions={date(2026, 3, 16): (0.5, 1.0), date(2026, 4, 6): (1.0, 2.0)}),
        Stock("990030", "표본중공업", "Sample Heavy Industries", "KOSPI", _isin("990030"), old, 7_400, 90_000_000,
              actions={date(2026, 5, 12): (0.93, 1.0), date(2026, 6, 15): (1.0, 1.2)}),
        Stock("990040", "표본건설", "Sample Construction", "KOSPI", _isin("990040"), old, 720, 60_000_000,
              suspended=tuple(calendar.sessions(date(2026, 6, 8), date(2026, 6, 26))),
              actions={date(2026, 6, 29): (3.0, 1 / 3)}),
        Stock("9900A0", "표본바이오", "Sample Bio", "KOSPI", _isin("9900A0"), date(2026, 3, 11), 31_000, 25_000_000),
        Stock("990050", "표본리츠", "Sample REIT", "KOSPI", _isin("990050"), old, 4_900, 40_000_000,
              group="부동산투자회사", infomax_type="RT", par="1000"),
        Stock("991010", "샘플소프트", "Sample Software", "KOSDAQ", _isin("991010"), old, 15_800, 18_000_000,
              section="우량기업부", moved=(date(2026, 5, 18), "KOSPI", "")),
        Stock("991020", "샘플게임즈", "Sample Games", "KOSDAQ", _isin("991020"), old, 8_300, 22_000_000,
              section="벤처기업부", renamed=(date(2026, 6, 22), "샘플엔터테인먼트")),
        Stock("991030", "샘플반도체", "Sample Semiconductor", "KOSDAQ GLOBAL", _isin("991030"), old, 96_000,
              21_000_000, section="우량기업부"),
        Stock("991040", "샘플로봇", "Sample Robotics", "KOSDAQ GLOBAL", _isin("991040"), old, 43_000, 19_000_000,
              section="중견기업부"),
        Stock("991050", "샘플제지", "Sample Paper", "KOSDAQ", _isin("991050"), old, 640, 35_000_000,
              section="관리종목(소속부없음)", delisted=date(2026, 7, 20),
              suspended=tuple(calendar.sessions(date(2026, 6, 1), date(2026, 7, 7))),
              liquidation_from=date(2026, 7, 8)),
        Stock("991060", "샘플제1호스팩", "Sample SPAC 1", "KOSDAQ", _isin("991060"), date(2025, 9, 15), 2_003,
              5_000_000, section="SPAC(소속부없음)", par="100"),
        Stock("900990", "견본홀딩스", "Specimen Holdings", "KOSDAQ", "HK000099001" + str(check_digit("HK000099001")),
              old, 1_190, 70_000_000, section="외국기업(소속부없음)", group="외국주권", infomax_type="FS", par="-"),
        Stock("950990", "견본테라", "Specimen Therapeutics", "KOSDAQ", "KR884099000" + str(check_digit("KR884099000")),
              old, 9_870, 12_000_000, section="외국기업(소속부없음)", group="주식예탁증권", infomax_type="DR", par="-"),
    ]  # fmt: skip
    for number in range(14):
        code = f"990{10 + number}0"
        stocks.append(
            Stock(code, f"표본상사{number + 1}", f"Sample Trading {number + 1}", "KOSPI", _isin(code), old,
                  to_tick(3_000 * 1.45**number), 8_000_000 + 900_000 * number)
        )  # fmt: skip
    for number in range(20):
        code = f"99{120 + number}0"
        stocks.append(
            Stock(code, f"샘플테크{number + 1}", f"Sample Tech {number + 1}", "KOSDAQ", _isin(code), old,
                  to_tick(1_200 * 1.22**number), 6_000_000 + 500_000 * number,
                  section=("중견기업부", "벤처기업부", "기술성장기업부")[number % 3])
        )  # fmt: skip
    for number in range(8):
        code = f"9950{number}0"
        stocks.append(
            Stock(code, f"견본코넥스{number + 1}", f"Specimen Konex {number + 1}", "KONEX", _isin(code), old,
                  to_tick(900 * 1.6**number), 2_000_000 + 100_000 * number, section="일반기업부",
                  trades_seldom=True)
        )  # fmt: skip
    return sorted(stocks, key=lambda stock: stock.code)


class Market:
    """All securities with all their bars and flows.

    Args:
        seed: the same seed gives the same market to the digit.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.sessions = calendar.sessions(FIRST_SESSION, LAST_SESSION)
        self.stocks = _cast()
        for position, stock in enumerate(self.stocks):
            self._trade(stock, np.random.default_rng([seed, position]))

    def by_code(self, code: str) -> Stock | None:
        """The security with a short code, or None."""
        return next((stock for stock in self.stocks if stock.code == code), None)

    def listed(self, day: date) -> list[Stock]:
        """Securities listed on a day, by code."""
        return [stock for stock in self.stocks if stock.is_listed(day)]

    def _trade(self, stock: Stock, random: np.random.Generator) -> None:
        close, shares = stock.price, stock.shares
        ratio = 0.15 if stock.market == "KONEX" else 0.30
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
            stock.flows[day] = self._flows(volume, value, random)

    @staticmethod
    def _within(price: float, bounds: tuple[int, int]) -> int:
        return min(max(to_tick(max(price, 1)), bounds[0]), bounds[1])

    @staticmethod
    def _flows(
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


@cache
def market(seed: int) -> Market:
    """The market of a seed, made once per process."""
    return Market(seed)


def yyyymmdd(day: date) -> str:
    """A day as vendors write it."""
    return day.strftime("%Y%m%d")


def parse_day(text: str | None) -> date | None:
    """A day from YYYYMMDD, or None where there is none or it is no day."""
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}") if text else None
    except ValueError:
        return None
