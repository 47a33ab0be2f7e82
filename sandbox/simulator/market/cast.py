"""Who is on the market: some sixty names with their fates, and on a full market 2,800.

Codes are valid by the exchange's pattern but belong to nobody on purpose (96xxxx to 99xxxx and the like); names say that
they are samples. What happens to the named ones stands here and in README.md.
"""

from datetime import date

import numpy as np

from loaders import calendar
from sandbox.simulator.market.industries import KOSDAQ_PAIRS, KOSPI_PAIRS, NO_SECTOR, Sectors
from sandbox.simulator.market.rules import (
    FIRST_SESSION,
    LAST_SESSION,
    to_tick,
    with_check_digit,
)
from sandbox.simulator.market.securities import Stock

FULL_SIZE = 2_800
DELISTING_REASON = (
    "기업의 계속성 및 경영의 투명성 등을 종합적으로 고려하여 상장폐지기준에 해당한다고 결정"
)
SPLIT_OFF = date(2026, 3, 11)


def isin_of(code: str, issue: str = "00") -> str:
    """ISIN of a domestic share; preferred ones pass the code of their issuer."""
    return with_check_digit(f"KR7{code}{issue}")


def small_cast() -> list[Stock]:
    """The names and what happens to them. Dates are sessions of 2026."""
    old = date(2010, 3, 2)
    stocks = [
        Stock("990010", "표본전자", "Sample Electronics", "KOSPI", isin_of("990010"), old, 2_500_000, 12_000_000,
              suspended=(date(2026, 4, 27), date(2026, 4, 28), date(2026, 4, 29)),
              actions={date(2026, 4, 30): (1 / 50, 50.0)}, par="5000", par_changed=(date(2026, 4, 30), "100")),
        Stock("990015", "표본전자우", "Sample Electronics (1P)", "KOSPI", isin_of("990011"), old,
              61_000, 4_000_000, kind="구형우선주"),
        Stock("99002K", "표본화학2우B", "Sample Chemical (2PB)", "KOSPI", isin_of("99002K", "01"), old,
              33_500, 800_000, kind="신형우선주"),
        Stock("990020", "표본화학", "Sample Chemical", "KOSPI", isin_of("990020"), old, 48_000, 30_000_000,
              actions={date(2026, 3, 16): (0.5, 1.0), date(2026, 4, 6): (1.0, 2.0)}),
        Stock("990030", "표본중공업", "Sample Heavy Industries", "KOSPI", isin_of("990030"), old, 7_400, 90_000_000,
              actions={date(2026, 5, 12): (0.93, 1.0), date(2026, 6, 15): (1.0, 1.2)}),
        Stock("990040", "표본건설", "Sample Construction", "KOSPI", isin_of("990040"), old, 720, 60_000_000,
              suspended=tuple(calendar.sessions(date(2026, 6, 8), date(2026, 6, 26))),
              actions={date(2026, 6, 29): (3.0, 1 / 3)}),
        Stock("9900A0", "표본바이오", "Sample Bio", "KOSPI", isin_of("9900A0"), date(2026, 3, 11), 31_000, 25_000_000),
        Stock("990050", "표본리츠", "Sample REIT", "KOSPI", isin_of("990050"), old, 4_900, 40_000_000,
              group="부동산투자회사", infomax_type="RT", par="1000"),
        Stock("991010", "샘플소프트", "Sample Software", "KOSDAQ", isin_of("991010"), old, 15_800, 18_000_000,
              section="우량기업부", moved=(date(2026, 5, 18), "KOSPI", "")),
        Stock("991020", "샘플게임즈", "Sample Games", "KOSDAQ", isin_of("991020"), old, 8_300, 22_000_000,
              section="벤처기업부", renamed=(date(2026, 6, 22), "샘플엔터테인먼트")),
        Stock("991030", "샘플반도체", "Sample Semiconductor", "KOSDAQ GLOBAL", isin_of("991030"), old, 96_000,
              21_000_000, section="우량기업부"),
        Stock("991040", "샘플로봇", "Sample Robotics", "KOSDAQ GLOBAL", isin_of("991040"), old, 43_000, 19_000_000,
              section="중견기업부"),
        Stock("991050", "샘플제지", "Sample Paper", "KOSDAQ", isin_of("991050"), old, 640, 35_000_000,
              section="관리종목(소속부없음)", delisted=date(2026, 7, 20),
              suspended=tuple(calendar.sessions(date(2026, 6, 1), date(2026, 7, 7))),
              liquidation_from=date(2026, 7, 8), delisting_reason=DELISTING_REASON),
        Stock("991060", "샘플제1호스팩", "Sample SPAC 1", "KOSDAQ", isin_of("991060"), date(2025, 9, 15), 2_003,
              5_000_000, section="SPAC(소속부없음)", par="100"),
        Stock("900990", "견본홀딩스", "Specimen Holdings", "KOSDAQ", with_check_digit("HK000099001"),
              old, 1_190, 70_000_000, section="외국기업(소속부없음)", group="외국주권", infomax_type="FS", par="-"),
        Stock("950990", "견본테라", "Specimen Therapeutics", "KOSDAQ", with_check_digit("KR884099000"),
              old, 9_870, 12_000_000, section="외국기업(소속부없음)", group="주식예탁증권", infomax_type="DR", par="-"),
    ]  # fmt: skip
    for number in range(14):
        code = f"990{10 + number}0"
        stocks.append(
            Stock(code, f"표본상사{number + 1}", f"Sample Trading {number + 1}", "KOSPI", isin_of(code), old,
                  to_tick(3_000 * 1.45**number), 8_000_000 + 900_000 * number)
        )  # fmt: skip
    for number in range(20):
        code = f"99{120 + number}0"
        stocks.append(
            Stock(code, f"샘플테크{number + 1}", f"Sample Tech {number + 1}", "KOSDAQ", isin_of(code), old,
                  to_tick(1_200 * 1.22**number), 6_000_000 + 500_000 * number,
                  section=("중견기업부", "벤처기업부", "기술성장기업부")[number % 3])
        )  # fmt: skip
    for number in range(8):
        code = f"9950{number}0"
        stocks.append(
            Stock(code, f"견본코넥스{number + 1}", f"Specimen Konex {number + 1}", "KONEX", isin_of(code), old,
                  to_tick(900 * 1.6**number), 2_000_000 + 100_000 * number, section="일반기업부",
                  trades_seldom=True)
        )  # fmt: skip
    return sorted(stocks, key=lambda stock: stock.code)


def _middle(code: str) -> Sectors:
    return NO_SECTOR, code, NO_SECTOR


NAMED_INDUSTRIES: dict[str, tuple[Sectors | None, str | None]] = {
    "990010": (_middle("0013"), "G4530"),
    "990015": (_middle("0013"), None),
    "99002K": (_middle("0008"), None),
    "990020": (_middle("0008"), "G1510"),
    "990030": (_middle("0012"), "G2010"),
    "990040": (_middle("0018"), "G2010"),
    "9900A0": (_middle("0009"), "G3520"),
    "990050": (_middle("0026"), "G4050"),
    "990210": (_middle("0017"), "G5510"),
    "991010": (("1007", "1017", "1036"), "G4510"),
    "991020": (("1007", "1017", "1035"), "G5020"),
    "991030": (("1007", "1018", "1040"), "G4530"),
    "991040": ((NO_SECTOR, "1009", "1027"), "G2010"),
    "991050": ((NO_SECTOR, "1009", "1021"), "G1510"),
    "991060": (_middle("1014"), None),
    "900990": (None, None),
    "950990": (None, None),
}
RECLASSIFIED: dict[str, tuple[date, Sectors | None, str | None]] = {
    "991010": (date(2026, 5, 18), _middle("0026"), "G4510"),
    "991020": (date(2026, 6, 22), _middle("1015"), "G5020"),
    "990120": (date(2026, 7, 1), _middle("0026"), "G2020"),
}
UTILITY = "990210"
FLOAT_CHANGED = {"990130": (date(2026, 6, 12), 0.45)}


def describe(stock: Stock, random: np.random.Generator, number: int) -> None:
    """Give a security its industries, its free float and its foreign limit.

    Args:
        stock: to be described, in place.
        random: a generator of its own.
        number: its place in the cast, which picks the industries of the unnamed.
    """
    ratio = round(float(random.uniform(0.2, 0.9)), 4)
    pairs = {"KOSPI": KOSPI_PAIRS, "KOSDAQ": KOSDAQ_PAIRS}.get(stock.market)
    if stock.code in NAMED_INDUSTRIES:
        stock.krx_sectors, stock.wics = NAMED_INDUSTRIES[stock.code]
    elif pairs:
        stock.krx_sectors, stock.wics = pairs[number % len(pairs)]
        if stock.is_preferred:
            stock.wics = None
    stock.reclassified = RECLASSIFIED.get(stock.code)
    if not stock.is_preferred and stock.market != "KONEX":
        stock.float_ratio = ratio
        stock.float_changed = FLOAT_CHANGED.get(stock.code)
    if stock.code == UTILITY:
        stock.foreign_limit = 0.4


def more_names(random: np.random.Generator, count: int) -> list[Stock]:
    """Unnamed securities of a full market, with codes from 960000 on, by code.

    Some are listed, split or delisted within the year; one in thirty carries an alphanumeric code.
    """
    days = calendar.sessions(FIRST_SESSION, LAST_SESSION)
    old = date(2005, 5, 2)
    stocks = []
    for number in range(count):
        body = 96_000 + number
        letter = "ABCDEFGHJK"[body % 10]
        code = f"{body // 10}{letter}0" if number % 30 == 29 else f"{body}0"
        market = "KONEX" if number % 25 == 24 else "KOSPI" if number % 3 == 0 else "KOSDAQ"
        price = to_tick(float(np.exp(random.normal(9.3, 1.1))) + 500)
        shares = int(np.exp(random.normal(16.6, 0.8))) // 1000 * 1000 + 1_000_000
        section = {
            "KOSPI": "",
            "KOSDAQ": ("중견기업부", "벤처기업부", "우량기업부", "기술성장기업부")[number % 4],
            "KONEX": "일반기업부",
        }[market]
        # drawn for every name, so that one name's fate moves no other's numbers
        when = int(random.integers(20, len(days) - 30))
        stock = Stock(
            code, f"표본{number + 1:04d}", f"Sample {number + 1:04d}", market, isin_of(code), old,
            price, shares, section=section, trades_seldom=market == "KONEX",
        )  # fmt: skip
        if number % 47 == 13:
            stock.listed = days[when]
        elif number % 71 == 20 and market == "KOSDAQ":
            stock.section = "관리종목(소속부없음)"
            stock.liquidation_from, stock.delisted = days[when + 20], days[when + 27]
            stock.suspended = tuple(days[when : when + 20])
            stock.delisting_reason = DELISTING_REASON
        elif number % 97 == 5:
            stock.suspended = tuple(days[when - 3 : when])
            stock.actions = {days[when]: (0.2, 5.0)}
            stock.par_changed = (days[when], "100")
        stocks.append(stock)
    return sorted(stocks, key=lambda stock: stock.code)
