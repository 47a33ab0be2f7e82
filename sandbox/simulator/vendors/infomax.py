"""Infomax as the simulator plays it: bearer token, envelope with HTTP 200 for errors, a silent cut of long answers."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import Bar, Market, Security, Stock, parse_day, yyyymmdd
from sandbox.simulator.stage import Stage, reply

PREFIX = "/infomax"
TOKEN = "sample-token"  # noqa: S105 - opens nothing but the simulator
FINAL_AT = time(19, 0)

MARKET_NAMES = {"KOSPI": "거래소(코스피)", "KOSDAQ": "코스닥", "KOSDAQ GLOBAL": "코스닥"}
MARKET_CODES = {"1": "KOSPI", "7": "KOSDAQ"}
FOREIGN_AT = time(5, 30)
INDICES = {
    # code: canonical name, family, Korean and English name
    "KGG01P": ("KOSPI", "K", "코스피", "KOSPI"),
    "K2G01P": ("KOSPI200", "K", "코스피 200", "KOSPI 200"),
    "QGG01P": ("KOSDAQ", "Q", "코스닥", "KOSDAQ"),
    "Q5G01P": ("KOSDAQ150", "Q", "코스닥 150", "KOSDAQ 150"),
}
RANKS = {"cap": "marketcap", "trading_value": "trading_value", "vol": "trading_volume", "price": "close_price",
         "rate": "change_rate"}  # fmt: skip

Record = dict[str, Any]


def denied() -> Record:
    """The answer to a wrong token."""
    return {"success": False, "message": "access_denied"}


def _number(day: date) -> int:
    return int(yyyymmdd(day))


def _board(security: Security, day: date) -> str:
    return security.market_on(day)[0] if isinstance(security, Stock) else security.market


def _market_name(security: Security, day: date) -> str:
    return MARKET_NAMES[_board(security, day)]


def _equity_type(security: Security) -> str:
    return "주식" if security.infomax_type == "ST" else security.infomax_type


def _is_in_market(security: Security, day: date, params: dict[str, str]) -> bool:
    wanted = params.get("market")
    return not wanted or _board(security, day).startswith(MARKET_CODES.get(wanted, "?"))


def _known(market: Market) -> Iterable[Stock]:
    """Infomax has no KONEX."""
    return (stock for stock in market.stocks if stock.market != "KONEX")


def _with_funds(market: Market) -> list[Security]:
    return [*_known(market), *market.etfs]


def _is_final(day: date, now: datetime) -> bool:
    return datetime.combine(day, FINAL_AT, calendar.KST) <= now


def _price_fields(bar: Bar) -> Record:
    return {
        "open_price": bar.open,
        "high_price": bar.high,
        "low_price": bar.low,
        "close_price": bar.close,
        "change": bar.change,
        "change_rate": bar.change_rate,
        "trading_volume": bar.volume,
        "trading_value": bar.value,
        "listed_shares": bar.shares,
    }


def stock_code(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """Stock master; `code` matches anywhere, and a new listing is missing on its listing day."""
    today = now.date()
    return [
        {
            "isin": stock.isin,
            "code": stock.code,
            "kr_name": stock.name_on(today),
            "market": _market_name(stock, today),
            "equity_type": _equity_type(stock),
            "listed_date": _number(stock.listed),
        }
        for stock in _with_funds(market)
        if stock.is_listed(today)
        and stock.listed != today
        and params.get("code", "") in stock.code
        and params.get("type", "") in ("", stock.infomax_type)
        and params.get("isin", "") in stock.isin
        and params.get("name", "") in stock.name_on(today)
        and _is_in_market(stock, today, params)
    ]


def stock_expired(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """Delisted securities by delisting date."""
    start, end = parse_day(params.get("startDate")), parse_day(params.get("endDate"))
    return [
        {
            "isin": stock.isin,
            "code": stock.code,
            "market_type": _market_name(stock, stock.listed),
            "equity_type": "주식",
            "kr_name": stock.name_on(now.date()),
            "listed_date": _number(stock.listed),
            "delisted_date": _number(stock.delisted),
        }
        for stock in _known(market)
        if stock.delisted is not None
        and stock.delisted <= now.date()
        and (start is None or start <= stock.delisted)
        and (end is None or stock.delisted <= end)
    ]


def stock_hist(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """Daily bars over a range, newest first."""
    if not params.get("code"):
        return None
    end = parse_day(params.get("endDate")) or now.date()
    start = parse_day(params.get("startDate")) or end.replace(day=1)
    rows = []
    for code in params["code"].split(","):
        stock = market.security(code)
        for day, bar in sorted((stock.bars if stock else {}).items(), reverse=True):
            if start <= day <= end and _is_final(day, now):
                prices = _price_fields(bar)
                order = ("open_price", "high_price", "low_price", "close_price")
                rows.append(
                    {"date": _number(day), "code": code}
                    | {name: prices.pop(name) for name in order}
                    | {"base_price": bar.base}
                    | prices
                )
    return rows


def stock_info(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """Many stocks on one date."""
    if not params.get("code"):
        return None
    day = parse_day(params.get("date")) or now.date()
    rows = []
    for code in params["code"].split(","):
        stock = market.security(code)
        bar = stock.bars.get(day) if stock and stock.market != "KONEX" else None
        if stock and bar and _is_final(day, now):
            rows.append(
                {
                    "date": _number(day),
                    "isin": stock.isin,
                    "code": code,
                    "kr_name": stock.name_on(day),
                    "market": _market_name(stock, day),
                    "equity_type": _equity_type(stock),
                    "base_price": bar.base,
                }
                | _price_fields(bar)
            )
    return rows


def _fourteen(leaves: dict[str, tuple[int, int, int, int]]) -> dict[str, tuple[int, int, int, int]]:
    """The vendor's fourteen types from the exchange's eleven leaves. A tenth of 연기금 등 is the government."""

    def add(names: Iterable[str]) -> tuple[int, int, int, int]:
        columns = zip(*(leaves[name] for name in names), strict=True)
        bought, sold, bought_value, sold_value = (sum(column) for column in columns)
        return bought, sold, bought_value, sold_value

    pension = leaves["연기금 등"]
    bought, sold, bought_value, sold_value = (part // 10 for part in pension)
    government = (bought, sold, bought_value, sold_value)
    institutions = ("금융투자", "보험", "투신", "사모", "은행", "기타금융", "연기금 등")
    return {
        "기관계": add(institutions),
        "금융투자": leaves["금융투자"],
        "보험": leaves["보험"],
        "투신": leaves["투신"],
        "사모": leaves["사모"],
        "은행": leaves["은행"],
        "종금저축": leaves["기타금융"],
        "기금공제": (
            pension[0] - bought, pension[1] - sold, pension[2] - bought_value, pension[3] - sold_value
        ),
        "정부": government,
        "기타법인": leaves["기타법인"],
        "개인": leaves["개인"],
        "외국인합": add(("외국인", "기타외국인")),
        "외국인": leaves["외국인"],
        "기타외국인": leaves["기타외국인"],
    }  # fmt: skip


def stock_investor(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """Fourteen types by session, newest first; values in thousand won, each cut to the thousand below."""
    if not params.get("code"):
        return None
    stock = market.by_code(params["code"])
    end = parse_day(params.get("endDate")) or now.date()
    start = parse_day(params.get("startDate")) or end
    return [
        {
            "date": _number(day),
            "code": params["code"],
            "investor": label,
            "ask_volume": sold,
            "ask_value": sold_value // 1000,
            "bid_volume": bought,
            "bid_value": bought_value // 1000,
        }
        for day, leaves in sorted((stock.flows if stock else {}).items(), reverse=True)
        if start <= day <= end and _is_final(day, now)
        for label, (bought, sold, bought_value, sold_value) in _fourteen(leaves).items()
        if params.get("investor", "") in ("", label)
    ]


def _span(params: dict[str, str], now: datetime) -> tuple[date, date]:
    """Asked days; without them the last thirty."""
    end = parse_day(params.get("endDate")) or now.date()
    return parse_day(params.get("startDate")) or end - timedelta(days=30), end


def stock_foreign(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """What foreigners hold, newest first; a session is there at 05:30 of the next session's day."""
    if not params.get("code"):
        return None
    stock = market.by_code(params["code"])
    start, end = _span(params, now)
    return [
        {
            "date": _number(day),
            "code": params["code"],
            "listed_shares": holding.listed_shares,
            "frn_ownership_vol": holding.shares,
            "frn_ownership_ratio": holding.ratio,
            "frn_limit_ratio": holding.limit_ratio,
        }
        for day, holding in sorted(
            (stock.foreign if stock and stock.market != "KONEX" else {}).items(), reverse=True
        )
        if start <= day <= end
        and datetime.combine(calendar.next_session(day), FOREIGN_AT, calendar.KST) <= now
    ]


def stock_rank(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """The whole market on one day, greatest first."""
    day = parse_day(params.get("date")) or now.date()
    rows = []
    for stock in _with_funds(market):
        bar = stock.bars.get(day)
        if (
            bar
            and _is_final(day, now)
            and _is_in_market(stock, day, params)
            and params.get("type", "") in ("", stock.infomax_type)
        ):
            prices = _price_fields(bar)
            del prices["listed_shares"]
            rows.append(
                {
                    "date": _number(day),
                    "isin": stock.isin,
                    "code": stock.code,
                    "kr_name": stock.name_on(day),
                    "market": _market_name(stock, day),
                }
                | prices
                | {"marketcap": bar.market_cap}
            )
    column = RANKS.get(params.get("rank") or "cap")
    return None if column is None else sorted(rows, key=lambda row: -row[column])


def etf_port(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """What one creation unit of a fund holds; cash has no units, a future no amount."""
    if not params.get("code"):
        return None
    etf = market.etf(params["code"])
    day = parse_day(params.get("date")) or now.date()
    if etf is None or not _is_final(day, now):
        return []
    lines = etf.holdings(day)
    return [
        {
            "date": _number(day),
            "isin": etf.isin,
            "code": etf.code,
            "kr_name": etf.name,
            "constituents": len(lines),
            "admin_number": etf.manager_code,
            "etf_value": etf.unit_value(day),
            "port_isin": line.isin,
            "port_code": line.code,
            "port_name": line.name,
            "port_value": 0 if line.value is None else line.value,
            "port_volume": 0 if line.shares is None else float(line.shares),
        }
        for line in lines
    ]


def index_code(_market: Market, params: dict[str, str], _now: datetime) -> list[Record] | None:
    """The indices that there are."""
    return [
        {
            "code": code,
            "index_type": family,
            "strat_type": "G",
            "return_type": "PR",
            "kr_name": kr_name,
            "en_name": en_name,
        }
        for code, (_, family, kr_name, en_name) in INDICES.items()
        if params.get("code", "") in code and params.get("type", "") in ("", family)
    ]


def index_hist(market: Market, params: dict[str, str], now: datetime) -> list[Record] | None:
    """Levels of an index, newest first; thousand shares and million won, cut."""
    if params.get("code") not in INDICES:
        return [] if params.get("code") else None
    start, end = _span(params, now)
    name, _, _, _ = INDICES[params["code"]]
    return [
        {
            "date": _number(day),
            "code": params["code"],
            "open_price": float(bar.open),
            "high_price": float(bar.high),
            "low_price": float(bar.low),
            "close_price": float(bar.close),
            "change": float(bar.change),
            "change_rate": float(bar.change_rate),
            "trading_volume": bar.volume // 1000,
            "trading_value": bar.value // 1_000_000,
            "marketcap": bar.market_cap // 1_000_000,
        }
        for day, bar in sorted(market.index_bars(name).items(), reverse=True)
        if start <= day <= end and _is_final(day, now)
    ]


def index_constituents(
    market: Market, params: dict[str, str], now: datetime
) -> list[Record] | None:
    """The members of an index now: ISIN and name, no date."""
    if not params.get("code"):
        return None
    name = INDICES.get(params["code"], ("",))[0]
    if name not in ("KOSPI200", "KOSDAQ150"):
        return []
    return [
        {"isin": stock.isin, "kr_name": stock.name_on(now.date())}
        for stock in market.index_members(name, now.date())
    ]


ENDPOINTS = {
    "etf/port": etf_port,
    "index/code": index_code,
    "index/constituents": index_constituents,
    "index/hist": index_hist,
    "stock/code": stock_code,
    "stock/expired": stock_expired,
    "stock/foreign": stock_foreign,
    "stock/hist": stock_hist,
    "stock/info": stock_info,
    "stock/investor": stock_investor,
    "stock/rank": stock_rank,
}


def answer(
    market: Market, endpoint: str, params: dict[str, str], now: datetime, row_cap: int
) -> Record:
    """The vendor's envelope; long answers are cut without a word, as the vendor does."""
    rows = ENDPOINTS[endpoint](market, params, now)
    if rows is None:
        return {"success": False, "message": "error params"}
    return {"success": True, "results": rows[:row_cap]}


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {
        "INFOMAX_BASE_URL": f"{base_url}{PREFIX}",
        "INFOMAX_TOKEN": TOKEN,
        "INFOMAX_REQUESTS_PER_MINUTE": "0",
    }


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)

    @routes.get("/api/{endpoint:path}")
    def ask(endpoint: str, request: Request) -> Response:
        if request.headers.get("authorization") != f"bearer {TOKEN}":
            return reply(denied())
        if endpoint not in ENDPOINTS:
            return reply("Not Found", status=404)
        params = dict(request.query_params)
        payload = answer(stage.market, endpoint, params, stage.now, stage.row_cap)
        return stage.answer(request, payload)

    return routes
