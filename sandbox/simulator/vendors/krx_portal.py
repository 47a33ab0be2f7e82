"""The exchange's data portal and its public site as the simulator plays them.

The portal answers members only: JSON that calls itself HTML, one form for every screen, a stamp with the time of asking.
A planted fault `logout` ends a session; `answer` on MDCCOMS001D1 gives another verdict of the log-in (CD010, CD011).
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import (
    LEAVES,
    Etf,
    Holding,
    Market,
    Stock,
    krx_sector_name,
    parse_day,
)
from sandbox.simulator.stage import FormFields, Record, Stage, reply

PREFIX = "/krx-portal"
OPEN_PREFIX = "/krx-open"
MEMBER = "sample-member"
PASSWORD = "sample-password"  # noqa: S105 - opens nothing but the simulator
ONE_TIME_PASSWORD = "c2FtcGxlLW9uZS10aW1lLXBhc3N3b3Jk"  # noqa: S105 - opens nothing but the simulator
FINAL_AT = time(18, 0)
HTML = "text/html; charset=utf-8"
MARKETS = {"STK": "KOSPI", "KSQ": "KOSDAQ", "KNX": "KONEX"}
MARKET_NAMES = {"STK": "유가증권", "KSQ": "코스닥", "KNX": "코넥스"}
INDEXES = {("1", "028"): "KOSPI200", ("2", "203"): "KOSDAQ150"}
INSTITUTIONS = LEAVES[:7]
TYPES = {
    **dict(zip(
        ("1000", "2000", "3000", "3100", "4000", "5000", "6000", "7100", "8000", "9000", "9001"),
        ((leaf,) for leaf in LEAVES), strict=True,
    )),
    "7050": tuple(INSTITUTIONS),
    "9999": tuple(LEAVES),
}  # fmt: skip
GROUPS = {"STOCK": ("STK", "ST"), "ETF": ("STK", "EF"), "FUTURE": ("DRV", "FU")}

Form = dict[str, str]


def _slashed(day: date | None) -> str:
    return day.strftime("%Y/%m/%d") if day else ""


def _number(value: int | Decimal | None) -> str:
    return "-" if value is None else f"{value:,}"


def _is_told(market: Market, day: date | None, now: datetime) -> bool:
    return (
        day is not None
        and day in market.sessions
        and datetime.combine(day, FINAL_AT, calendar.KST) <= now
    )


def _market_id(stock: Stock, day: date) -> str:
    name = stock.market_on(day)[0].split()[0]
    return next(key for key, market in MARKETS.items() if market == name)


def _stocks_of(market: Market, form: Form, day: date) -> Iterator[Stock]:
    wanted = form.get("mktId", "ALL")
    return (stock for stock in market.listed(day) if wanted in ("ALL", _market_id(stock, day)))


def _direction(change: int) -> str:
    return "1" if change > 0 else "2" if change < 0 else "3"


def _prices(stock: Stock | Etf, day: date) -> Record:
    bar = stock.bars[day]
    return {
        "TDD_CLSPRC": _number(bar.close),
        "FLUC_TP_CD": "0" if bar.volume == 0 else _direction(bar.change),
        "CMPPREVDD_PRC": _number(bar.change),
        "FLUC_RT": f"{bar.change_rate:.2f}",
        "TDD_OPNPRC": _number(bar.open),
        "TDD_HGPRC": _number(bar.high),
        "TDD_LWPRC": _number(bar.low),
        "ACC_TRDVOL": _number(bar.volume),
        "ACC_TRDVAL": _number(bar.value),
        "MKTCAP": _number(bar.market_cap),
        "LIST_SHRS": _number(bar.shares),
    }


def _session_at(market: Market, day: date) -> date:
    return max((session for session in market.sessions if session <= day), default=day)


def _day_of_list(market: Market, form: Form, now: datetime) -> tuple[date | None, bool]:
    """The session whose names a screen of one day lists, and whether it tells their figures; None where no day was asked for."""
    day = parse_day(form.get("trdDd"))
    told = _is_told(market, day, now)
    if day is None or told:
        return day, told
    return _session_at(market, min(day, now.date())), False


def _dashed(figures: Record) -> Record:
    """Figures of a day without any: dashes, but for the number of shares."""
    kept = {"LIST_SHRS": figures["LIST_SHRS"], "FLUC_TP_CD": "3"}
    return dict.fromkeys(figures, "-") | kept


def daily(market: Market, form: Form, now: datetime) -> list[Record]:
    """01501: every stock of a day; on a holiday all of them come, with dashes."""
    listed_on, told = _day_of_list(market, form, now)
    if listed_on is None:
        return []
    records = []
    for stock in _stocks_of(market, form, listed_on):
        prices = _prices(stock, listed_on)
        if not told:
            prices = _dashed(prices)
        name, section = stock.market_on(listed_on)
        records.append(
            {
                "ISU_SRT_CD": stock.code,
                "ISU_CD": stock.isin,
                "ISU_ABBRV": stock.name_on(listed_on),
                "MKT_NM": name,
                "SECT_TP_NM": section,
                **prices,
                "MKT_ID": _market_id(stock, listed_on),
            }
        )
    return records


def _span(market: Market, form: Form, now: datetime) -> list[date]:
    """Told sessions of a span, newest first; nothing when it is longer than two years."""
    start, end = parse_day(form.get("strtDd")), parse_day(form.get("endDd"))
    if start is None or end is None or end - start > timedelta(days=730):
        return []
    return [
        day
        for day in reversed(market.sessions)
        if start <= day <= end and _is_told(market, day, now)
    ]


def history(market: Market, form: Form, now: datetime) -> list[Record]:
    """01701: one stock, newest first."""
    stock = market.by_isin(form.get("isuCd", ""))
    return [
        {"TRD_DD": _slashed(day)} | _prices(stock, day)
        for day in _span(market, form, now)
        if stock and day in stock.bars
    ]


def master(market: Market, form: Form, now: datetime) -> list[Record]:
    """01901: every stock listed now."""
    today = now.date()
    return [
        {
            "ISU_CD": stock.isin,
            "ISU_SRT_CD": stock.code,
            "ISU_NM": stock.name_on(today) + ("보통주" if stock.kind == "보통주" else ""),
            "ISU_ABBRV": stock.name_on(today),
            "ISU_ENG_NM": stock.name_en,
            "LIST_DD": _slashed(stock.listed),
            "MKT_TP_NM": stock.market_on(today)[0],
            "SECUGRP_NM": stock.group,
            "SECT_TP_NM": stock.market_on(today)[1],
            "KIND_STKCERT_TP_NM": stock.kind,
            "PARVAL": stock.par_on(today),
            "LIST_SHRS": _number(stock.shares_on(today)),
        }
        for stock in _stocks_of(market, form, today)
    ]


def delisted(market: Market, form: Form, now: datetime) -> list[Record]:
    """23801: delistings of a span with the reason, and a subscription right, whose code has eight characters."""
    start, end = parse_day(form.get("strtDd")), parse_day(form.get("endDd"))
    if start is None or end is None:
        return []
    records = []
    for stock in market.stocks:
        gone = stock.delisted
        if gone is None or not start <= gone <= min(end, now.date()):
            continue
        last = stock.bar_days[-1]
        liquidation = stock.liquidation or (None, None)
        stocks_own = {
            "ISU_CD": stock.code,
            "ISU_NM": stock.name_on(last),
            "MKT_NM": stock.market_on(last)[0],
            "SECUGRP_NM": stock.group,
            "KIND_STKCERT_TP_NM": stock.kind,
            "LIST_DD": _slashed(stock.listed),
            "DELIST_DD": _slashed(gone),
            "DELIST_RSN_DSC": stock.delisting_reason,
            "ARRANTRD_MKTACT_ENFORCE_DD": _slashed(liquidation[0]),
            "ARRANTRD_END_DD": _slashed(liquidation[1]),
            "IDX_IND_NM": _industry(stock, last),
            "PARVAL": stock.par_on(last),
            "LIST_SHRS": _number(stock.shares_on(last)),
            "TO_ISU_SRT_CD": "",
            "TO_ISU_ABBRV": "",
        }
        right = {
            "ISU_CD": f"{stock.code}1A",
            "ISU_NM": f"{stock.name_on(last)} 1R",
            "SECUGRP_NM": "신주인수권증서",
            "DELIST_RSN_DSC": "",
            "ARRANTRD_MKTACT_ENFORCE_DD": "",
            "ARRANTRD_END_DD": "",
        }
        records += [stocks_own, stocks_own | right]
    return records


def _found(stock: Stock, day: date, *, english: bool) -> Record:
    market_id = _market_id(stock, day)
    names = {"marketName": MARKET_NAMES[market_id]}
    if english:
        names["marketEngName"] = stock.market_on(day)[0]
    return {
        "full_code": stock.isin,
        "short_code": stock.code,
        "codeName": stock.name_on(day),
        "marketCode": market_id,
        **names,
        "ord1": "",
        "ord2": "16",
    }


def listed_codes(market: Market, form: Form, now: datetime) -> list[Record]:
    """finder_stkisu: code or name holds the text."""
    today, text = now.date(), form.get("searchText", "")
    return [
        _found(stock, today, english=True)
        for stock in market.listed(today)
        if text in stock.code or text in stock.name_on(today)
    ]


def delisted_codes(market: Market, form: Form, now: datetime) -> list[Record]:
    """finder_listdelisu: code or name holds the text."""
    text = form.get("searchText", "")
    return [
        _found(stock, stock.bar_days[-1], english=False)
        for stock in market.stocks
        if stock.delisted
        and stock.delisted <= now.date()
        and (text in stock.code or text in stock.name)
    ]


def _industry(stock: Stock, day: date) -> str:
    """The narrowest industry that the stock has."""
    sectors = stock.krx_sectors_on(day) or ()
    return next((name for code in reversed(sectors) if (name := krx_sector_name(code))), "기타")


def industries(market: Market, form: Form, now: datetime) -> list[Record]:
    """03901: industry of every stock of a market and day."""
    day = parse_day(form.get("trdDd"))
    if day is None or not _is_told(market, day, now):
        return []
    return [
        {
            "ISU_SRT_CD": stock.code,
            "ISU_ABBRV": stock.name_on(day),
            "MKT_TP_NM": stock.market_on(day)[0].split()[0],
            "IDX_IND_NM": _industry(stock, day),
            "TDD_CLSPRC": _number(stock.bars[day].close),
            "CMPPREVDD_PRC": _number(stock.bars[day].change),
            "FLUC_RT": f"{stock.bars[day].change_rate:.2f}",
            "MKTCAP": _number(stock.bars[day].market_cap),
            "FLUC_TP_CD": _direction(stock.bars[day].change),
        }
        for stock in _stocks_of(market, form, day)
    ]


def members(market: Market, form: Form, now: datetime) -> list[Record]:
    """00601: members of an index."""
    name = INDEXES.get((form.get("indIdx", ""), form.get("indIdx2", "")))
    day = parse_day(form.get("trdDd"))
    if name is None or day is None or not _is_told(market, day, now):
        return []
    return [
        {
            "ISU_SRT_CD": stock.code,
            "ISU_ABBRV": stock.name_on(day),
            "TDD_CLSPRC": _number(stock.bars[day].close),
            "FLUC_TP_CD": _direction(stock.bars[day].change),
            "STR_CMP_PRC": _number(stock.bars[day].change),
            "FLUC_RT": f"{stock.bars[day].change_rate:.2f}",
            "MKTCAP": _number(stock.bars[day].market_cap),
            "IDX_ID": "",
        }
        for stock in market.index_members(name, day)
    ]


def foreign(market: Market, form: Form, now: datetime) -> list[Record]:
    """03701: what foreigners hold of every stock of a market."""
    day = parse_day(form.get("trdDd"))
    if day is None or not _is_told(market, day, now):
        return []
    records = []
    for stock in _stocks_of(market, form, day):
        held, bar = stock.foreign[day], stock.bars[day]
        records.append(
            {
                "ISU_SRT_CD": stock.code,
                "ISU_ABBRV": stock.name_on(day),
                "TDD_CLSPRC": _number(bar.close),
                "FLUC_TP_CD": _direction(bar.change),
                "CMPPREVDD_PRC": _number(bar.change),
                "FLUC_RT": f"{bar.change_rate:.2f}",
                "LIST_SHRS": _number(held.listed_shares),
                "FORN_HD_QTY": _number(held.shares),
                "FORN_SHR_RT": f"{held.ratio:.2f}",
                "FORN_ORD_LMT_QTY": _number(held.limit_shares),
                "FORN_LMT_EXHST_RT": f"{held.exhaustion:.2f}",
            }
        )
    return records


def investors(market: Market, form: Form, now: datetime) -> list[Record]:
    """02303: eleven types of one stock by session, for one measure and side."""
    stock = market.by_isin(form.get("isuCd", ""))
    offset = 2 if form.get("trdVolVal") == "2" else 0
    records = []
    for day in _span(market, form, now):
        leaves = stock.flows.get(day) if stock else None
        if leaves is None:
            continue
        amounts = []
        for leaf in LEAVES:
            bought, sold = leaves[leaf][offset], leaves[leaf][offset + 1]
            amounts.append({"1": sold, "2": bought}.get(form.get("askBid", "3"), bought - sold))
        records.append(
            {"TRD_DD": _slashed(day)}
            | {f"TRDVAL{n}": _number(amount) for n, amount in enumerate(amounts, 1)}
            | {"TRDVAL_TOT": _number(sum(amounts))}
        )
    return records


def investors_of_market(market: Market, form: Form, now: datetime) -> list[Record]:
    """02401: what one type traded of every stock of a market; a stock that it left alone is absent."""
    leaves = TYPES.get(form.get("invstTpCd", ""), ())
    days = _span(market, form, now)
    records = []
    for stock in _stocks_of(market, form, days[0]) if days else ():
        found = [stock.flows[day][leaf] for day in days if day in stock.flows for leaf in leaves]
        bought, sold, bought_value, sold_value = (
            sum(column) for column in zip((0, 0, 0, 0), *found, strict=True)
        )
        if bought or sold:
            records.append(
                {
                    "ISU_SRT_CD": stock.code,
                    "ISU_NM": stock.name_on(days[0]),
                    "ASK_TRDVOL": _number(sold),
                    "BID_TRDVOL": _number(bought),
                    "NETBID_TRDVOL": _number(bought - sold),
                    "ASK_TRDVAL": _number(sold_value),
                    "BID_TRDVAL": _number(bought_value),
                    "NETBID_TRDVAL": _number(bought_value - sold_value),
                }
            )
    return records


def funds(market: Market, _form: Form, now: datetime) -> list[Record]:
    """04601: every ETF."""
    today = now.date()
    return [
        {
            "ISU_CD": etf.isin,
            "ISU_SRT_CD": etf.code,
            "ISU_NM": f"{etf.name}증권상장지수투자신탁",
            "ISU_ABBRV": etf.name,
            "ISU_ENG_NM": etf.name_en,
            "LIST_DD": _slashed(etf.listed),
            "ETF_OBJ_IDX_NM": etf.underlying_index,
            "IDX_CALC_INST_NM1": etf.index_agency,
            "IDX_CALC_INST_NM2": "일반",
            "ETF_REPLICA_METHD_TP_CD": "실물(패시브)",
            "IDX_MKT_CLSS_NM": "국내",
            "IDX_ASST_CLSS_NM": "주식",
            "LIST_SHRS": _number(etf.listed_shares(_session_at(market, today))),
            "COM_ABBRV": etf.manager,
            "CU_QTY": _number(etf.creation_unit),
            "ETF_TOT_FEE": f"{Decimal(etf.total_fee):.6f}",
            "TAX_TP_CD": "배당소득세(보유기간과세)",
        }
        for etf in market.etfs
        if etf.is_listed(today)
    ]


def funds_daily(market: Market, form: Form, now: datetime) -> list[Record]:
    """04301: every ETF of a day; on a holiday all of them come, with dashes."""
    listed_on, told = _day_of_list(market, form, now)
    if listed_on is None:
        return []
    return [
        {
            "ISU_SRT_CD": etf.code,
            "ISU_CD": etf.isin,
            "SECUGRP_ID": "EF",
            "ISU_ABBRV": etf.name,
            **_fund_figures(market, etf, listed_on, told=told),
            "IDX_IND_NM": etf.underlying_index,
            "FLUC_TP_CD1": "3",
        }
        for etf in market.etfs
        if listed_on in etf.bars and etf.is_listed(listed_on)
    ]


def _fund_figures(market: Market, etf: Etf, day: date, *, told: bool) -> Record:
    index = market.underlying_bar(etf, day)
    figures = _prices(etf, day) | {
        "NAV": _number(etf.nav(day)),
        "INVSTASST_NETASST_TOTAMT": _number(etf.net_asset(day)),
        "OBJ_STKPRC_IDX": _number(index.close if index else None),
        "CMPPREVDD_IDX": _number(index.change if index else None),
        "FLUC_RT1": str(index.change_rate) if index else "-",
    }
    return figures if told else _dashed(figures)


def _component(holding: Holding, total: int | None) -> Record:
    is_cash = holding.shares is None
    market_id, group = GROUPS.get(holding.kind, ("", ""))
    identifier = holding.isin or holding.code
    before = holding.previous_price
    is_short = holding.value is not None and holding.value < 0
    weight = Decimal(100 * holding.value) / total if holding.value and total else None
    return {
        "COMPST_ISU_CD": identifier if is_cash else holding.code,
        "COMPST_ISU_CD2": identifier,
        "MKT_ID": market_id,
        "SECUGRP_ID": group,
        "COMPST_ISU_NM": holding.name,
        "COMPST_ISU_CU1_SHRS": "-" if is_cash else f"{holding.shares:,.2f}",
        "VALU_AMT": "-"
        if before is None or is_short
        else _number(int((holding.shares or 0) * before)),
        "COMPST_AMT": _number(holding.value),
        "COMPST_RTO": "-" if weight is None else f"{weight:.2f}",
    }


def basket(market: Market, form: Form, now: datetime) -> list[Record]:
    """05001: the creation basket of one ETF; no weights where it is not fully valued."""
    etf, day = market.etf(form.get("isuCd", "")), parse_day(form.get("trdDd"))
    if etf is None or day is None or not _is_told(market, day, now):
        return []
    total = etf.unit_value(day) if etf.is_fully_valued else None
    return [_component(holding, total) for holding in etf.holdings(day)]


Screen = Callable[[Market, Form, datetime], list[Record]]
SCREENS: dict[str, tuple[str, Screen]] = {
    "finder_stkisu": ("block1", listed_codes),
    "finder_listdelisu": ("block1", delisted_codes),
    "MDCSTAT00601": ("output", members),
    "MDCSTAT01501": ("OutBlock_1", daily),
    "MDCSTAT01701": ("output", history),
    "MDCSTAT01901": ("OutBlock_1", master),
    "MDCSTAT02303": ("output", investors),
    "MDCSTAT02401": ("output", investors_of_market),
    "MDCSTAT03701": ("output", foreign),
    "MDCSTAT03901": ("block1", industries),
    "MDCSTAT04301": ("output", funds_daily),
    "MDCSTAT04601": ("output", funds),
    "MDCSTAT05001": ("output", basket),
    "MDCSTAT23801": ("output", delisted),
}
"""Screen to the name of its list and to who tells it."""


def holidays(market: Market, form: Form) -> dict[str, Any]:
    """Weekdays of a year without a session."""
    weekdays = "월화수목금토일"
    return {
        "block1": [
            {
                "calnd_dd": day.isoformat(),
                "dy_tp_cd": weekdays[day.weekday()],
                "kr_dy_tp": f"{weekdays[day.weekday()]}요일",
                "holdy_nm": reason,
            }
            for day, reason in market.holidays(int(form["search_bas_yy"]))
        ]
    }


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at portal and public site, without a limit of rate."""
    return {
        "KRX_PORTAL_BASE_URL": f"{base_url}{PREFIX}",
        "KRX_PORTAL_REQUESTS_PER_MINUTE": "0",
        "KRX_ID": MEMBER,
        "KRX_PASSWORD": PASSWORD,
        "KRX_OPEN_BASE_URL": f"{base_url}{OPEN_PREFIX}",
        "KRX_OPEN_REQUESTS_PER_MINUTE": "0",
    }


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter()
    sessions: set[str] = set()
    numbers = count(1)
    _add_log_in(routes, stage, sessions)

    @routes.post(f"{PREFIX}/comm/bldAttendant/getJsonData.cmd")
    def ask(request: Request, form: FormFields) -> Response:
        screen = form.get("bld", "").rsplit("/", 1)[-1]
        if request.cookies.get("JSESSIONID") not in sessions or screen not in SCREENS:
            return reply("LOGOUT", status=400)
        name, tell = SCREENS[screen]
        asked_at = stage.now + timedelta(seconds=next(numbers))
        payload = {
            name: tell(stage.market, form, stage.now),
            "CURRENT_DATETIME": asked_at.strftime("%Y.%m.%d %p %I:%M:%S"),
        }
        return stage.answer(
            request, payload, topic=f"{screen} {form.get('mktId', '')}", media_type=HTML
        )

    @routes.get(f"{OPEN_PREFIX}/contents/COM/GenerateOTP.jspx")
    def one_time_password(request: Request) -> Response:
        return stage.answer(request, ONE_TIME_PASSWORD, media_type=HTML)

    @routes.post(f"{OPEN_PREFIX}/contents/OPN/99/OPN99000001.jspx")
    def ask_holidays(request: Request, form: FormFields) -> Response:
        if form.get("code") != ONE_TIME_PASSWORD:
            return reply("", status=404)
        return stage.answer(
            request, holidays(stage.market, form), topic="holidays", media_type=HTML
        )

    return routes


def _add_log_in(routes: APIRouter, stage: Stage, sessions: set[str]) -> None:
    client = f"{PREFIX}/contents/MDC/COMS/client"

    @routes.get(f"{client}/MDCCOMS001.cmd")
    @routes.get(f"{client}/view/login.jsp")
    def page(request: Request) -> Response:
        return stage.answer(request, "<html><body>로그인</body></html>", media_type=HTML)

    @routes.post(f"{client}/MDCCOMS001D1.cmd")
    def log_in(request: Request, form: FormFields) -> Response:
        if (form.get("mbrId"), form.get("pw")) != (MEMBER, PASSWORD):
            refusal = {"_error_code": "CD002", "_error_message": "아이디 또는 비밀번호 오류"}
            return stage.answer(request, refusal, media_type=HTML)
        session = f"sample-{len(sessions) + 1}"
        sessions.add(session)
        cookie = {"Set-Cookie": f"JSESSIONID={session}; Path=/"}
        welcome = {"_error_code": "CD001", "_error_message": "정상"}
        return stage.answer(request, welcome, media_type=HTML, headers=cookie)
