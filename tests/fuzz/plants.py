"""Errors planted one by one into the vendors' answers, and where each of them must be caught: the table of the tests.

A plant lies in a stock, a day and a feed of its own, so that many live in one database. What it leaves behind is a trace:
text that names the layer, what the layer speaks of, and the verdict; `traces.py` reads them from a built warehouse.
"""

# ruff: noqa: E501 - a table has one line a row

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
Change = Callable[[list[Record], list[Record], "Memory"], None]
"""Changes records of an answer in place: all of them, those that the plant is about, and what came before."""


@dataclass(frozen=True)
class Feed:
    """What a vendor tells in one kind of answer.

    Attributes:
        asked: pattern of `path parameters`.
        dataset: as quality.rejected_rows calls it.
        source: of the rows.
        code: field of the code; with a leading ? it is a parameter of the request.
        day: field of the day, likewise.
    """

    asked: str
    dataset: str
    source: str
    code: str
    day: str


BARS = Feed(r"infomax/api/stock/info", "daily_prices", "infomax", "code", "date")
KRX_BARS = Feed(r"_bydd_trd", "daily_prices", "krx", "ISU_CD", "BAS_DD")
KIS_BARS = Feed(
    r"inquire-daily-itemchartprice", "daily_prices", "kis", "?FID_INPUT_ISCD", "stck_bsop_date"
)
FLOWS = Feed(r"infomax/api/stock/investor", "investor_trading", "infomax", "code", "date")
KIS_FLOWS = Feed(
    r"investor-trade-by-stock-daily", "investor_trading", "kis", "?FID_INPUT_ISCD", "stck_bsop_date"
)
KRX_FLOWS = Feed(r"MDCSTAT02401", "investor_trading", "krx", "ISU_SRT_CD", "?strtDd")
FOREIGN = Feed(r"infomax/api/stock/foreign", "foreign_ownership_daily", "infomax", "code", "date")
KRX_FOREIGN = Feed(r"MDCSTAT03701", "foreign_ownership_daily", "krx", "ISU_SRT_CD", "?trdDd")
LEVELS = Feed(r"infomax/api/index/hist", "index_daily", "infomax", "code", "date")
KRX_LEVELS = Feed(r"idx/\w+_dd_trd", "index_daily", "krx", "IDX_NM", "BAS_DD")
FUNDS = Feed(r"infomax/api/etf/port", "etf_portfolios", "infomax", "code", "date")
KRX_FUNDS = Feed(r"MDCSTAT05001", "etf_portfolios", "krx", "?isuCd", "?trdDd")
MEMBERS = Feed(r"infomax/api/index/constituents", "index_members", "infomax", "?code", "")
KRX_MEMBERS = Feed(r"krx-index.*IDX99000001", "index_members", "krx", "?idx_id", "?schdate")
LISTS = Feed(r"isu_base_info", "stocks", "krx", "ISU_SRT_CD", "?basDd")
EXPIRED = Feed(r"infomax/api/stock/expired", "stocks", "infomax", "code", "")
FLOATS = Feed(r"wics/Index/GetIndexComponets", "floating_shares", "wics", "CMP_CD", "?dt")
MINUTES = Feed(
    r"inquire-time-dailychartprice", "minute_bars", "kis", "?FID_INPUT_ISCD", "stck_bsop_date"
)

LEAVES = (
    "금융투자", "보험", "투신", "사모", "은행", "종금저축", "기금공제", "정부", "기타법인", "개인", "외국인", "기타외국인",
)  # fmt: skip


@dataclass
class Memory:
    """Sound records of answers, by feed, code and day, and the last answer of each path and code."""

    rows: dict[tuple[str, str, str], list[Record]] = field(default_factory=dict)
    pages: dict[tuple[str, str], list[Record]] = field(default_factory=dict)

    def before(self, feed: Feed, code: str, day: str) -> list[Record]:
        """The records of the newest day before one."""
        days = [key[2] for key in self.rows if key[:2] == (feed.asked, code) and key[2] < day]
        return self.rows[feed.asked, code, max(days)] if days else []


@dataclass(frozen=True)
class Plant:
    """One error.

    Attributes:
        family: of errors.
        what: is done.
        feed: whose answers hold it.
        day: of its records, YYYY-MM-DD; empty for answers without a day.
        code: of its records; * for all.
        change: what is done to them.
        layer: that must catch it: loader, row rule (reject), row rule (warn), dbt test, key, gate, disagreement.
        trace: that it must leave, as `traces.py` words it.
        where: further values that a record has; with a leading ?, that were asked for.
    """

    family: str
    what: str
    feed: Feed
    day: str
    code: str
    change: Change
    layer: str
    trace: str
    where: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.family}: {self.what}"

    @property
    def expected(self) -> str:
        """The whole trace; of a row rule the table names the rule alone."""
        if not self.trace.isupper():
            return self.trace
        verdict = "rejected" if self.layer == REJECT else "warned"
        return (
            f"{verdict} {self.feed.dataset} {self.feed.source} {self.code} {self.day} {self.trace}"
        )

    def fits(self, asked: str, request: Mapping[str, str], record: Record) -> bool:
        """Whether a record of an answer is the one that it changes."""

        def value(name: str) -> str:
            return str(request.get(name[1:], "") if name[:1] == "?" else record.get(name, ""))

        day = re.sub(r"[-/. ]", "", value(self.feed.day)) if self.feed.day else ""
        return (
            (not self.feed.day or not self.day or day == self.day.replace("-", ""))
            and (self.code == "*" or not self.feed.code or value(self.feed.code) == self.code)
            and all(value(name) == wanted for name, wanted in self.where.items())
            and re.search(self.feed.asked, asked) is not None
        )


# --- what can be done to records -----------------------------------------------------------------------------------


def _number(value: Any) -> float:
    return float(str(value).replace(",", ""))


def _like(old: Any, new: float) -> Any:
    """A number in the words in which the vendor wrote the old one."""
    whole = int(new) if float(new).is_integer() else round(new, 4)
    if not isinstance(old, str):
        return whole
    return f"{whole:,}" if "," in old else str(whole)


def scaled(factor: float, *names: str) -> Change:
    """Numbers in another unit; whole numbers stay whole."""

    def change(_rows: list[Record], hits: list[Record], _memory: Memory) -> None:
        for row in hits:
            for name in names:
                value = _number(row[name]) * factor
                row[name] = _like(row[name], value if factor > 1 else float(int(value)))

    return change


def put(**values: Any) -> Change:
    """Values in place of what was told; a function makes them of the record."""

    def change(_rows: list[Record], hits: list[Record], _memory: Memory) -> None:
        for row in hits:
            made = {n: _like(row[n], v(row)) if callable(v) else v for n, v in values.items()}
            row.update(made)

    return change


def swapped(*pairs: tuple[str, str]) -> Change:
    """Two fields of a record in each other's place."""

    def change(_rows: list[Record], hits: list[Record], _memory: Memory) -> None:
        for row in hits:
            for one, other in pairs:
                row[one], row[other] = row[other], row[one]

    return change


def exchanged(name: str, one: str, other: str) -> Change:
    """Two values of a field in each other's place, over the records that the plant is about."""

    def change(_rows: list[Record], hits: list[Record], _memory: Memory) -> None:
        for row in hits:
            row[name] = {one: other, other: one}.get(row[name], row[name])

    return change


def exchanged_codes(name: str, other: str) -> Change:
    """The code of the record and that of another record of the answer in each other's place."""

    def change(rows: list[Record], hits: list[Record], _memory: Memory) -> None:
        (row,) = hits
        partner = next(each for each in rows if each[name] == other)
        row[name], partner[name] = partner[name], row[name]

    return change


def added_to(target: Mapping[str, str], label: Mapping[str, str], *names: str) -> Change:
    """The amounts of one record of a group counted into another one as well."""

    def change(_rows: list[Record], hits: list[Record], _memory: Memory) -> None:
        def one(wanted: Mapping[str, str]) -> Record:
            return next(row for row in hits if all(row[n] == v for n, v in wanted.items()))

        for name in names:
            one(target)[name] += one(label)[name]

    return change


def dropped(rows: list[Record], hits: list[Record], _memory: Memory) -> None:
    """Records that are lost on the way."""
    gone = {id(row) for row in hits}
    rows[:] = [row for row in rows if id(row) not in gone]


def doubled(rows: list[Record], hits: list[Record], _memory: Memory) -> None:
    """Records that come twice."""
    rows.extend(dict(row) for row in hits)


def doubled_with(**values: Any) -> Change:
    """Records that come twice, the second time with other values."""

    def change(rows: list[Record], hits: list[Record], _memory: Memory) -> None:
        rows.extend(
            row | {n: _like(row[n], v(row)) if callable(v) else v for n, v in values.items()}
            for row in hits
        )

    return change


def added(**values: Any) -> Change:
    """A record more, like the first of the answer but for some values."""

    def change(rows: list[Record], _hits: list[Record], _memory: Memory) -> None:
        rows.append(rows[0] | values)

    return change


def every_other(rows: list[Record], hits: list[Record], memory: Memory) -> None:
    """Half a list."""
    dropped(rows, hits[1::2], memory)


def middle_third(rows: list[Record], hits: list[Record], memory: Memory) -> None:
    """A page lost between two others."""
    dropped(rows, hits[len(hits) // 3 : 2 * len(hits) // 3], memory)


def of_the_day_before(feed: Feed, *kept: str) -> Change:
    """Yesterday's records under today's date."""

    def change(_rows: list[Record], hits: list[Record], memory: Memory) -> None:
        for row in hits:
            code, day = str(row.get(feed.code, "")), str(row[feed.day])
            for old in memory.before(feed, code, day):
                if all(old.get(name) == row.get(name) for name in kept):
                    row.update({n: v for n, v in old.items() if n not in (feed.day, feed.code)})

    return change


def page_before(path: str, code: str) -> Change:
    """The page that came before in place of the next one."""

    def change(rows: list[Record], _hits: list[Record], memory: Memory) -> None:
        rows[:] = [dict(row) for row in memory.pages.get((path, code), [])]

    return change


def of_code(feed: Feed, code: str, day: str = "") -> Change:
    """What was told of another code, a list of another index, in place of what was asked for."""

    def change(rows: list[Record], _hits: list[Record], memory: Memory) -> None:
        rows[:] = [dict(row) for row in memory.rows[feed.asked, code, day.replace("-", "")]]

    return change


def middle(change: Change) -> Change:
    """Only the one in the middle of the records that fit."""
    return lambda rows, hits, memory: change(rows, [hits[len(hits) // 2]], memory)


def in_per_mille(_rows: list[Record], hits: list[Record], _memory: Memory) -> None:
    """Weights ten times as large, where there are any."""
    for row in hits:
        if row["COMPST_RTO"] != "-":
            row["COMPST_RTO"] = f"{10 * float(row['COMPST_RTO']):.2f}"


def first(change: Change) -> Change:
    """Only the first of the records that fit."""
    return lambda rows, hits, memory: change(rows, hits[:1], memory)


# --- the table -------------------------------------------------------------------------------------------------------

WED, THU, FRI = "2026-05-06", "2026-05-07", "2026-05-08"
SPLIT_DAY = "2026-04-30"
FUND_DAYS = ("2026-04-30", "2026-05-08", "2026-05-15")
MINUTE_DAY = LAST_DAY = "2026-05-15"
MINUTE_PATH = "/kis/uapi/domestic-stock/v1/quotations/inquire-time-dailychartprice"
HOLIDAY = "20260505"
LOADER, REJECT, WARN, TEST, KEY = "loader", "reject", "warn", "dbt test", "key"
GATE, DISAGREEMENT = "gate", "disagreement"

AMOUNTS = ("bid_volume", "ask_volume", "bid_value", "ask_value")
SIDES = (("bid_volume", "ask_volume"), ("bid_value", "ask_value"))
KRX_SIDES = (("BID_TRDVOL", "ASK_TRDVOL"), ("BID_TRDVAL", "ASK_TRDVAL"))
BROKERS_FOREIGNERS = tuple(
    (f"frgn_reg_{name}", f"frgn_nreg_{name}")
    for name in ("bidp_qty", "askp_qty", "bidp_pbmn", "askp_pbmn")
)
PRICES = ("open_price", "high_price", "low_price", "close_price")

PLANTS = (
    # --- unit ×1,000 and ÷1,000
    Plant("unit", "trading value of a bar × 1,000", BARS, WED, "990100", scaled(1000, "trading_value"), REJECT, "VALUE_WRONG_UNIT"),
    Plant("unit", "trading value of a bar ÷ 1,000", KRX_BARS, WED, "990100", scaled(0.001, "ACC_TRDVAL"), REJECT, "VALUE_WRONG_UNIT"),
    Plant("unit", "volume of a bar × 1,000", BARS, WED, "990110", scaled(1000, "trading_volume"), REJECT, "VALUE_WRONG_UNIT"),
    Plant("unit", "listed shares in thousands, beside a market cap", KRX_BARS, WED, "990120", scaled(0.001, "LIST_SHRS"), WARN, "MARKET_CAP_DISAGREES"),
    Plant("unit", "listed shares in thousands, without a market cap", BARS, WED, "990130", scaled(0.001, "listed_shares"), TEST, "ranking 990130 2026-05-06"),
    Plant("unit", "values of one investor in won", FLOWS, WED, "990100", scaled(1000, "bid_value", "ask_value"), REJECT, "FLOWS_UNBALANCED", {"investor": "개인"}),
    Plant("unit", "values of all investors in won", FLOWS, WED, "990110", scaled(1000, "bid_value", "ask_value"), REJECT, "VALUE_WRONG_UNIT"),
    Plant("unit", "volumes of all investors in thousands", KIS_FLOWS, WED, "990120", lambda _r, hits, _m: [row.update({n: str(int(v) * 1000) for n, v in row.items() if n.endswith("_vol") and n != "acml_vol"}) for row in hits] and None, REJECT, "VALUE_WRONG_UNIT"),
    Plant("unit", "amount of a creation unit ÷ 1,000", FUNDS, FUND_DAYS[0], "993010", scaled(0.001, "etf_value"), REJECT, "VALUE_OUT_OF_RANGE"),
    Plant("unit", "trading value of an index × 1,000", LEVELS, WED, "KGG01P", scaled(1000, "trading_value"), REJECT, "rejected index_daily infomax KOSPI 2026-05-06 VALUE_WRONG_UNIT"),
    Plant("unit", "market cap of an index ÷ 1,000", KRX_LEVELS, WED, "코스닥", scaled(0.001, "MKTCAP"), REJECT, "rejected index_daily krx KOSDAQ 2026-05-06 MARKET_CAP_WRONG_UNIT"),
    Plant("unit", "shares that foreigners own × 1,000", FOREIGN, WED, "990130", scaled(1000, "frn_ownership_vol"), REJECT, "OWNED_ABOVE_LISTED"),
    Plant("unit", "shares that foreigners own ÷ 1,000", FOREIGN, WED, "990140", scaled(0.001, "frn_ownership_vol"), WARN, "RATIO_DISAGREES"),
    Plant("unit", "floating shares × 1,000", FLOATS, LAST_DAY, "990140", scaled(1000, "APT_SHR_CNT"), REJECT, "FLOAT_ABOVE_LISTED"),
    Plant("unit", "volume of a minute × 1,000", MINUTES, MINUTE_DAY, "990100", first(scaled(1000, "cntg_vol")), REJECT, "RUNNING_TOTAL_MISMATCH"),
    Plant("unit", "listed shares of a whole list in thousands", LISTS, WED, "*", scaled(0.001, "LIST_SHRS"), REJECT, "rejected stocks krx 991200 2026-05-06 SHARES_WRONG_UNIT", {"MKT_TP_NM": "KOSDAQ"}),
    Plant("unit", "listed shares of a whole day in thousands", BARS, "2026-05-11", "*", scaled(0.001, "listed_shares"), GATE, "gate ohlcv_daily infomax 2026-05-11 SHARES_UNIT"),
    # --- sign
    Plant("sign", "of the change rate", BARS, WED, "990140", put(change_rate=lambda r: -r["change_rate"]), WARN, "CHANGE_RATE_DISAGREES"),
    Plant("sign", "of the change, from which the base price follows", KRX_BARS, WED, "990140", put(CMPPREVDD_PRC=lambda r: -int(r["CMPPREVDD_PRC"])), WARN, "CHANGE_RATE_DISAGREES"),
    Plant("sign", "of the close", BARS, WED, "990150", put(close_price=lambda r: -r["close_price"]), REJECT, "CLOSE_NOT_POSITIVE"),
    Plant("sign", "of what was sold", FLOWS, WED, "990130", put(ask_volume=lambda r: -r["ask_volume"]), REJECT, "VALUE_NEGATIVE", {"investor": "개인"}),
    Plant("sign", "of a minute's price", MINUTES, MINUTE_DAY, "990110", first(put(stck_lwpr=lambda r: -int(r["stck_lwpr"]))), REJECT, "VALUE_NEGATIVE"),
    # --- buy and sell swapped
    Plant("buy and sell swapped", "of one investor", FLOWS, WED, "990140", swapped(*SIDES), REJECT, "FLOWS_UNBALANCED", {"investor": "개인"}),
    Plant("buy and sell swapped", "of one investor, volumes alone", KIS_FLOWS, WED, "990140", swapped(("prsn_shnu_vol", "prsn_seln_vol")), REJECT, "FLOWS_UNBALANCED"),
    Plant("buy and sell swapped", "of one investor in the answer for its type", KRX_FLOWS, WED, "990140", swapped(*KRX_SIDES), REJECT, "FLOWS_UNBALANCED", {"?invstTpCd": "8000"}),
    Plant("buy and sell swapped", "of a total", FLOWS, WED, "990150", swapped(*SIDES), REJECT, "TOTAL_NOT_SUM", {"investor": "기관계"}),
    Plant("buy and sell swapped", "of all investors of a stock", FLOWS, WED, "990160", swapped(*SIDES), DISAGREEMENT, "disagreement investor_trading 990160 2026-05-06"),
    # --- date shifted by one session
    Plant("date shifted", "of a bar, backwards", BARS, WED, "990160", put(date=20260504), REJECT, "rejected daily_prices infomax 990160 2026-05-06 DATE_NOT_ASKED"),
    Plant("date shifted", "of a bar, forwards", KRX_BARS, WED, "990160", put(BAS_DD="20260507"), REJECT, "rejected daily_prices krx 990160 2026-05-06 DATE_NOT_ASKED"),
    Plant("date shifted", "of flows, into a day that has its own", FLOWS, WED, "990170", put(date=20260507), REJECT, "rejected investor_trading infomax 990170 2026-05-07 CONFLICTING_DUPLICATE"),
    Plant("date shifted", "of holdings, into a day that has its own", FOREIGN, WED, "990170", put(date=20260507), REJECT, "rejected foreign_ownership_daily infomax 990170 2026-05-07 CONFLICTING_DUPLICATE"),
    Plant("date shifted", "of a whole portfolio", FUNDS, FUND_DAYS[1], "993020", put(date=20260507), LOADER, "cell etf_portfolios infomax 993020 2026-05-08"),
    Plant("date shifted", "of all bars of a stock", KIS_BARS, LAST_DAY, "990170", put(stck_bsop_date="20260518"), REJECT, "rejected daily_prices kis 990170 2026-04-28 DATE_NOT_ASKED"),
    Plant("date shifted", "of a minute", MINUTES, MINUTE_DAY, "990120", middle(put(stck_bsop_date="20260514")), REJECT, "rejected minute_bars kis 990120 2026-05-15 OTHER_DAY"),
    # --- two codes swapped
    Plant("codes swapped", "of two bars, beside their ISINs", BARS, WED, "990170", exchanged_codes("code", "990180"), REJECT, "CODE_NOT_OF_ISIN"),
    Plant("codes swapped", "of two bars, without ISIN", KRX_BARS, WED, "990170", exchanged_codes("ISU_CD", "990180"), TEST, "base price krx 990170 2026-05-06"),
    Plant("codes swapped", "of two lines of a portfolio", FUNDS, FUND_DAYS[2], "993010", lambda _r, hits, _m: hits[0].update(port_code=hits[1]["port_code"]) or hits[1].update(port_code="990010"), REJECT, "rejected etf_portfolios infomax 993010 2026-05-15 CODE_NOT_OF_ISIN"),
    Plant("codes swapped", "of what a type traded of two stocks", KRX_FLOWS, WED, "990170", exchanged_codes("ISU_SRT_CD", "990180"), REJECT, "FLOWS_UNBALANCED", {"?invstTpCd": "8000"}),
    Plant("codes swapped", "of two stocks' flows", FLOWS, "", "990180", put(code="990190"), LOADER, "cell investor_trading infomax 990180 2026-05-06"),
    Plant("codes swapped", "of two stocks' holdings", KRX_FOREIGN, WED, "990170", exchanged_codes("ISU_SRT_CD", "990180"), DISAGREEMENT, "disagreement foreign_ownership_daily 990180 2026-05-06"),
    # --- 9000 and 9001 swapped
    Plant("9000 and 9001 swapped", "on a whole day", FLOWS, THU, "*", exchanged("investor", "외국인", "기타외국인"), TEST, "foreign leaves infomax 2026-05-07"),
    Plant("9000 and 9001 swapped", "on another day", FLOWS, "2026-05-11", "*", exchanged("investor", "외국인", "기타외국인"), TEST, "foreign leaves infomax 2026-05-11"),
    Plant("9000 and 9001 swapped", "by a broker, on a whole day", KIS_FLOWS, THU, "*", swapped(*BROKERS_FOREIGNERS), TEST, "foreign leaves kis 2026-05-07"),
    Plant("9000 and 9001 swapped", "by a broker, of one stock", KIS_FLOWS, WED, "991370", swapped(*BROKERS_FOREIGNERS), DISAGREEMENT, "disagreement investor_trading 991370 2026-05-06"),
    Plant("9000 and 9001 swapped", "of one stock", FLOWS, WED, "990200", exchanged("investor", "외국인", "기타외국인"), DISAGREEMENT, "disagreement investor_trading 990200 2026-05-06"),
    # --- pension counted twice
    Plant("pension twice", "in the total of institutions", FLOWS, WED, "990210", added_to({"investor": "기관계"}, {"investor": "기금공제"}, *AMOUNTS), REJECT, "TOTAL_NOT_SUM"),
    Plant("pension twice", "in another leaf, on both sides", FLOWS, WED, "990220", added_to({"investor": "금융투자"}, {"investor": "기금공제"}, *AMOUNTS), REJECT, "FLOWS_UNBALANCED"),
    Plant("pension twice", "as the government's", FLOWS, WED, "990230", added_to({"investor": "정부"}, {"investor": "기금공제"}, *AMOUNTS), REJECT, "FLOWS_UNBALANCED"),
    Plant("pension twice", "in a broker's total", KIS_FLOWS, WED, "990210", put(orgn_shnu_vol=lambda r: int(r["orgn_shnu_vol"]) + int(r["fund_shnu_vol"])), REJECT, "TOTAL_NOT_SUM"),
    # --- page dropped
    Plant("page dropped", "of minutes, the earlier ones", Feed(MINUTES.asked + r".*FID_INPUT_HOUR_1=1[0-3]", "minute_bars", "kis", "?FID_INPUT_ISCD", "stck_bsop_date"), MINUTE_DAY, "990220", dropped, TEST, "minutes kis 990220 2026-05-15"),
    Plant("page dropped", "of minutes, between two others", MINUTES, MINUTE_DAY, "990020", middle_third, WARN, "RUNNING_TOTAL_GAP"),
    Plant("page dropped", "of flows: one type of a market", KRX_FLOWS, FRI, "*", dropped, LOADER, "cell investor_trading krx KOSDAQ 2026-05-08", {"?invstTpCd": "3000", "?mktId": "KSQ"}),
    Plant("page dropped", "of bars: a name", BARS, WED, "991200", dropped, TEST, "missing daily_prices infomax 991200 2026-05-06"),
    Plant("page dropped", "of floats: a sector", Feed(FLOATS.asked + r".*dt=20260508.*sec_cd=G45\b", "floating_shares", "wics", "", ""), "", "*", dropped, LOADER, "cell floating_shares wics ALL 2026-05-08"),
    # --- page doubled
    Plant("page doubled", "of minutes, in place of the next", Feed(MINUTES.asked + r".*FID_INPUT_HOUR_1=1[0-3]", "minute_bars", "kis", "?FID_INPUT_ISCD", "stck_bsop_date"), MINUTE_DAY, "990010", page_before(MINUTE_PATH, "990010"), TEST, "minutes kis 990010 2026-05-15"),
    Plant("page doubled", "of bars, with another close", BARS, WED, "991210", doubled_with(close_price=lambda r: r["low_price"]), REJECT, "CONFLICTING_DUPLICATE"),
    Plant("page doubled", "of flows, as they were", FLOWS, WED, "991210", doubled, KEY, "published investor_trading 991210 2026-05-06"),
    Plant("page doubled", "of bars, as they were", KRX_BARS, WED, "995010", doubled, KEY, "published ohlcv_daily 995010 2026-05-06"),
    Plant("page doubled", "of a portfolio's lines", KRX_FUNDS, FUND_DAYS[0], "KR7993010008", doubled, TEST, "portfolio krx 993010 2026-04-30"),
    # --- yesterday's copy
    Plant("yesterday's copy", "of a whole day, dates and all", BARS, "2026-05-13", "*", put(date=20260512), LOADER, "cell ohlcv_daily infomax ALL 2026-05-13"),
    Plant("yesterday's copy", "of a bar under today's date", BARS, THU, "991220", of_the_day_before(BARS), TEST, "base price infomax 991220 2026-05-07"),
    Plant("yesterday's copy", "of a bar under today's date, second source", KRX_BARS, THU, "991230", of_the_day_before(KRX_BARS), TEST, "base price krx 991230 2026-05-07"),
    Plant("yesterday's copy", "of flows under today's date", FLOWS, THU, "991240", of_the_day_before(FLOWS, "investor"), WARN, "VOLUME_NOT_OF_DAY"),
    Plant("yesterday's copy", "of a whole day under today's date", BARS, "2026-05-12", "*", of_the_day_before(BARS), GATE, "gate ohlcv_daily infomax 2026-05-12 STALE_COPY"),
    # --- half a list
    Plant("half a list", "of the bars of a day", BARS, "2026-05-14", "*", every_other, LOADER, "cell ohlcv_daily infomax ALL 2026-05-14"),
    Plant("half a list", "of a portfolio", FUNDS, FUND_DAYS[1], "993010", every_other, LOADER, "cell etf_portfolios infomax 993010 2026-05-08"),
    Plant("half a list", "of the bars of a market", KRX_BARS, "2026-05-13", "*", every_other, GATE, "gate ohlcv_daily krx 2026-05-13 ROW_COUNT", {"MKT_NM": "KOSDAQ"}),
    Plant("half a list", "of an index's members", KRX_MEMBERS, "2026-05-12", "K2G01P", every_other, LOADER, "refused index_components krx KOSPI200 2026-05-12"),
    Plant("half a list", "of what foreigners hold", KRX_FOREIGN, THU, "*", every_other, GATE, "gate foreign_ownership_daily krx 2026-05-07 ROW_COUNT", {"?mktId": "KSQ"}),
    # --- split without factor
    Plant("split without factor", "the base is yesterday's close", BARS, SPLIT_DAY, "990010", put(base_price=lambda r: r["base_price"] * 50), WARN, "PRICE_BEYOND_LIMIT"),
    Plant("split without factor", "the base is yesterday's close, second source", KRX_BARS, SPLIT_DAY, "990010", put(CMPPREVDD_PRC=lambda r: int(r["TDD_CLSPRC"]) - 50 * (int(r["TDD_CLSPRC"]) - int(r["CMPPREVDD_PRC"]))), WARN, "PRICE_BEYOND_LIMIT"),
    Plant("split without factor", "5:1, prices and shares alone", BARS, FRI, "991250", put(**{n: (lambda r, n=n: r[n] // 5) for n in PRICES}, trading_volume=lambda r: r["trading_volume"] * 5, listed_shares=lambda r: r["listed_shares"] * 5), TEST, "price limit infomax 991250 2026-05-08"),
    # --- factor without split
    Plant("factor without split", "the base is half", BARS, FRI, "991260", put(base_price=lambda r: r["base_price"] // 2), WARN, "PRICE_BEYOND_LIMIT"),
    Plant("factor without split", "the base is the day's close", BARS, FRI, "991270", put(base_price=lambda r: r["close_price"], change=0, change_rate=0), TEST, "factor 991270 2026-05-08 UNKNOWN"),
    Plant("factor without split", "in the change, second source", KRX_BARS, FRI, "991280", put(CMPPREVDD_PRC="0", FLUC_RT="0.00"), TEST, "base price krx 991280 2026-05-08"),
    # --- zero price
    Plant("zero price", "close", BARS, FRI, "991290", put(close_price=0), REJECT, "CLOSE_NOT_POSITIVE"),
    Plant("zero price", "open on a traded day", KRX_BARS, FRI, "991290", put(TDD_OPNPRC="0"), REJECT, "PRICE_ZERO"),
    Plant("zero price", "open, high and low on a traded day", BARS, FRI, "991300", put(open_price=0, high_price=0, low_price=0), WARN, "NO_REGULAR_TRADES"),
    Plant("zero price", "of a minute", MINUTES, MINUTE_DAY, "990130", first(put(stck_oprc="0")), REJECT, "VOLUME_WITHOUT_PRICE"),
    Plant("zero price", "of an index", LEVELS, THU, "QGG01P", put(close_price=0), REJECT, "rejected index_daily infomax KOSDAQ 2026-05-07 CLOSE_NOT_POSITIVE"),
    # --- decimal in a whole price
    Plant("decimal", "in a close", BARS, FRI, "991310", put(close_price=lambda r: r["close_price"] + 0.5), REJECT, "PRICE_NOT_WHOLE"),
    Plant("decimal", "in an open", KRX_BARS, FRI, "991310", put(TDD_OPNPRC="13400.25"), REJECT, "PRICE_NOT_WHOLE"),
    Plant("decimal", "in a minute's price", MINUTES, MINUTE_DAY, "990140", first(put(stck_prpr="18330.5")), REJECT, "PRICE_NOT_WHOLE"),
    Plant("decimal", "in a volume", FLOWS, FRI, "991310", put(bid_volume=12.5), REJECT, "COUNT_NOT_WHOLE", {"investor": "개인"}),
    # --- more digits than a cast to numeric takes
    Plant("endless number", "in a close", KRX_BARS, FRI, "991350", put(TDD_CLSPRC="9" * 140_000), REJECT, "VALUE_UNREADABLE"),
    Plant("endless number", "in a minute's volume", MINUTES, MINUTE_DAY, "990160", first(put(cntg_vol="9" * 140_000)), REJECT, "VALUE_UNREADABLE"),
    Plant("endless number", "in a value that a broker tells", KIS_FLOWS, FRI, "991350", put(prsn_shnu_tr_pbmn="9" * 140_000), REJECT, "VALUE_UNREADABLE"),
    # --- volume without value
    Plant("volume without value", "of a bar", BARS, FRI, "991320", put(trading_value=0), WARN, "VALUE_WITHOUT_VOLUME"),
    Plant("volume without value", "the reverse", KRX_BARS, FRI, "991320", put(ACC_TRDVOL="0"), WARN, "VALUE_WITHOUT_VOLUME"),
    Plant("volume without value", "of an investor", FLOWS, FRI, "991320", put(bid_value=0), REJECT, "FLOWS_UNBALANCED", {"investor": "개인"}),
    Plant("volume without value", "flows of nobody on a day with volume", FLOWS, FRI, "990220", scaled(0, *AMOUNTS), REJECT, "NOBODY_TRADED"),
    Plant("volume without value", "of a minute", MINUTES, MINUTE_DAY, "990150", lambda _r, hits, _m: hits[0].update(acml_tr_pbmn=hits[1]["acml_tr_pbmn"]), REJECT, "RUNNING_TOTAL_MISMATCH"),
    # --- a delisted name that trades
    Plant("delisted name trades", "the list of the delisted has one that trades on", EXPIRED, "", "991050", added(code="991390", isin="KR7991390006", kr_name="샘플테크20", delisted_date=20260507), TEST, "delisted krx 991390 2026-05-07"),
    Plant("delisted name trades", "one day after its last", KRX_BARS, "2026-07-20", "991060", added(ISU_CD="991050", ISU_NM="샘플제지"), TEST, "delisted krx 991050 2026-07-20"),
    Plant("delisted name trades", "one day after its last, first source", BARS, "2026-07-20", "991060", added(code="991050", isin="KR7991050006", kr_name="샘플제지"), TEST, "delisted infomax 991050 2026-07-20"),
    # --- a holiday that trades
    Plant("holiday trades", "a row of flows on it", FLOWS, WED, "991330", doubled_with(date=int(HOLIDAY)), LOADER, "cell investor_trading infomax 991330 2026-05-06"),
    Plant("holiday trades", "a row of holdings on it", FOREIGN, WED, "991330", doubled_with(date=int(HOLIDAY)), LOADER, "cell foreign_ownership_daily infomax 991330 2026-05-06"),
    Plant("holiday trades", "a bar on it", KIS_BARS, WED, "991330", doubled_with(stck_bsop_date=HOLIDAY), REJECT, "rejected daily_prices kis 991330 2026-04-28 DATE_NOT_ASKED"),
    Plant("holiday trades", "a level on it", LEVELS, WED, "K2G01P", doubled_with(date=int(HOLIDAY)), LOADER, "cell index_daily infomax KOSPI200 2026-05-06"),
    # --- leading zeros lost
    Plant("leading zeros lost", "in a bar", BARS, FRI, "991340", put(code="1340"), REJECT, "rejected daily_prices infomax 1340 2026-05-08 CODE_MALFORMED"),
    Plant("leading zeros lost", "in a bar, second source", KRX_BARS, FRI, "991340", put(ISU_CD="1340"), REJECT, "rejected daily_prices krx 1340 2026-05-08 CODE_MALFORMED"),
    Plant("leading zeros lost", "in flows", FLOWS, "", "991340", put(code="1340"), LOADER, "cell investor_trading infomax 991340 2026-05-06"),
    Plant("leading zeros lost", "in holdings", KRX_FOREIGN, FRI, "991340", put(ISU_SRT_CD="1340"), REJECT, "rejected foreign_ownership_daily krx 1340 2026-05-08 CODE_MALFORMED"),
    Plant("leading zeros lost", "in a line of a portfolio", FUNDS, FUND_DAYS[0], "993020", first(put(port_code="10")), REJECT, "rejected etf_portfolios infomax 993020 2026-04-30 CODE_MALFORMED"),
    # --- member list of another index
    Plant("members of another index", "the vendor's list of now", MEMBERS, "", "Q5G01P", of_code(MEMBERS, "K2G01P"), REJECT, "rejected index_members infomax KOSDAQ150 MEMBER_OF_OTHER_MARKET"),
    Plant("members of another index", "the exchange's list of a day", KRX_MEMBERS, "2026-05-13", "Q5G01P", of_code(KRX_MEMBERS, "K2G01P", "2026-05-13"), REJECT, "rejected index_members krx KOSDAQ150 2026-05-13 MEMBER_OF_OTHER_MARKET"),
    Plant("members of another index", "the exchange's list of another day", KRX_MEMBERS, "2026-05-14", "Q5G01P", of_code(KRX_MEMBERS, "K2G01P", "2026-05-14"), REJECT, "rejected index_members krx KOSDAQ150 2026-05-14 MEMBER_OF_OTHER_MARKET"),
    # --- weight in per mille
    Plant("weight in per mille", "of a portfolio", KRX_FUNDS, FUND_DAYS[1], "KR7993010008", in_per_mille, REJECT, "rejected etf_portfolios krx 993010 2026-05-08 WEIGHTS_WRONG_UNIT"),
    Plant("weight in per mille", "of another day", KRX_FUNDS, FUND_DAYS[2], "KR7993010008", in_per_mille, REJECT, "rejected etf_portfolios krx 993010 2026-05-15 WEIGHTS_WRONG_UNIT"),
    Plant("weight in per mille", "by a whole amount ten times too small", FUNDS, FUND_DAYS[2], "993020", scaled(0.1, "etf_value"), REJECT, "rejected etf_portfolios infomax 993020 2026-05-15 WEIGHTS_WRONG_UNIT"),
)  # fmt: skip


class Planter:
    """Puts the plants into answers, and says which of them met one."""

    def __init__(self, plants: tuple[Plant, ...]) -> None:
        self._plants = plants
        self._memory = Memory()
        self._feeds = {plant.feed.asked: plant.feed for plant in plants}
        self.planted: set[str] = set()

    def alter(self, path: str, request: Mapping[str, str], rows: list[Record]) -> bool:
        """Change the records of an answer in place; gives whether any was."""
        asked = " ".join([path, *(f"{name}={value}" for name, value in sorted(request.items()))])
        sound = [dict(row) for row in rows]
        fitting = [plant for plant in self._plants if re.search(plant.feed.asked, asked)]
        for feed in {plant.feed for plant in fitting}:
            self._remember(feed, request, sound)
        is_changed = False
        for plant in fitting:
            if hits := [row for row in rows if plant.fits(asked, request, row)]:
                plant.change(rows, hits, self._memory)
                self.planted.add(plant.name)
                is_changed = True
        for feed in {plant.feed for plant in fitting if plant.feed.code[:1] == "?"}:
            self._memory.pages[path, request.get(feed.code[1:], "")] = sound
        return is_changed

    def _remember(self, feed: Feed, request: Mapping[str, str], rows: list[Record]) -> None:
        found: dict[tuple[str, str, str], list[Record]] = {}
        for row in rows:
            code, day = (
                str(request.get(name[1:], "") if name[:1] == "?" else row.get(name, ""))
                for name in (feed.code, feed.day)
            )
            found.setdefault((feed.asked, code, re.sub(r"[-/. ]", "", day)), []).append(row)
        self._memory.rows.update(found)
