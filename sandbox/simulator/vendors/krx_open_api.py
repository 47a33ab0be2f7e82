"""The exchange's Open API as the simulator plays it: one market and day a call, every value a string."""

from datetime import date, datetime, time
from typing import Any

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import Market, Stock, parse_day, yyyymmdd
from sandbox.simulator.stage import Stage, reply

PREFIX = "/krx-openapi"
KEY = "sample-key"
PUBLISHED_AT = time(8, 0)
MARKETS = {"stk": "KOSPI", "ksq": "KOSDAQ", "knx": "KONEX"}
FAMILIES = ("bydd_trd", "isu_base_info")
INDEX_FAMILIES: dict[str, dict[str, str]] = {
    # the sample market has no KRX 300 of its own: it is told with the levels of KOSPI
    "krx": {"KOSPI": "KRX 300"},
    "kospi": {"KOSPI": "코스피", "KOSPI200": "코스피 200"},
    "kosdaq": {"KOSDAQ": "코스닥", "KOSDAQ150": "코스닥 150"},
}

Record = dict[str, str]


def _daily(stock: Stock, text: str) -> Record:
    day = parse_day(text)
    assert day is not None
    bar = stock.bars[day]
    market, section = stock.market_on(day)
    return {
        "BAS_DD": text,
        "ISU_CD": stock.code,
        "ISU_NM": stock.name_on(day),
        "MKT_NM": market,
        "SECT_TP_NM": section,
        "TDD_CLSPRC": str(bar.close),
        "CMPPREVDD_PRC": str(bar.change),
        "FLUC_RT": f"{bar.change_rate:.2f}",
        "TDD_OPNPRC": str(bar.open),
        "TDD_HGPRC": str(bar.high),
        "TDD_LWPRC": str(bar.low),
        "ACC_TRDVOL": str(bar.volume),
        "ACC_TRDVAL": str(bar.value),
        "MKTCAP": str(bar.close * bar.shares),
        "LIST_SHRS": str(bar.shares),
    }


def _base_info(stock: Stock, text: str) -> Record:
    day = parse_day(text)
    assert day is not None
    market, section = stock.market_on(day)
    return {
        "ISU_CD": stock.isin,
        "ISU_SRT_CD": stock.code,
        "ISU_NM": stock.name_on(day) + ("보통주" if stock.kind == "보통주" else ""),
        "ISU_ABBRV": stock.name_on(day),
        "ISU_ENG_NM": stock.name_en,
        "LIST_DD": yyyymmdd(stock.listed),
        "MKT_TP_NM": market,
        "SECUGRP_NM": stock.group,
        "SECT_TP_NM": section,
        "KIND_STKCERT_TP_NM": stock.kind,
        "PARVAL": stock.par_on(day),
        "LIST_SHRS": str(stock.bars[day].shares),
    }


def _published_day(market: Market, text: str | None, now: datetime) -> date | None:
    """The session that was asked for, where it is there already: at 08:00 of the next one."""
    day = parse_day(text)
    if day is None or day not in market.sessions:
        return None
    published = datetime.combine(calendar.next_session(day), PUBLISHED_AT, calendar.KST)
    return day if published <= now else None


def fund_answer(
    market: Market, api: str, params: dict[str, str], now: datetime
) -> dict[str, Any] | None:
    """Records of all exchange traded funds of a day, or None for an unknown service."""
    if api.removesuffix(".json") != "etf_bydd_trd":
        return None
    day = _published_day(market, params.get("basDd"), now)
    if day is None:
        return {"OutBlock_1": []}
    rows = []
    for etf in market.etfs:
        bar = etf.bars.get(day)
        if bar is None or not etf.is_listed(day):
            continue
        index = market.underlying_bar(etf, day)
        rows.append(
            {
                "BAS_DD": params["basDd"],
                "ISU_CD": etf.code,
                "ISU_NM": etf.name,
                "TDD_CLSPRC": str(bar.close),
                "CMPPREVDD_PRC": str(bar.change),
                "FLUC_RT": f"{bar.change_rate:.2f}",
                "NAV": str(etf.nav(day)),
                "TDD_OPNPRC": str(bar.open),
                "TDD_HGPRC": str(bar.high),
                "TDD_LWPRC": str(bar.low),
                "ACC_TRDVOL": str(bar.volume),
                "ACC_TRDVAL": str(bar.value),
                "MKTCAP": str(bar.market_cap),
                "INVSTASST_NETASST_TOTAMT": str(etf.net_asset(day)),
                "LIST_SHRS": str(bar.shares),
                "IDX_IND_NM": etf.underlying_index,
                "OBJ_STKPRC_IDX": str(index.close) if index else "-",
                "CMPPREVDD_IDX": str(index.change) if index else "-",
                "FLUC_RT_IDX": str(index.change_rate) if index else "-",
            }
        )
    return {"OutBlock_1": rows}


def index_answer(
    market: Market, api: str, params: dict[str, str], now: datetime
) -> dict[str, Any] | None:
    """Records of one index family and day, or None for an unknown service."""
    prefix, _, family = api.removesuffix(".json").partition("_")
    if prefix not in INDEX_FAMILIES or family != "dd_trd":
        return None
    day = _published_day(market, params.get("basDd"), now)
    if day is None:
        return {"OutBlock_1": []}
    rows = []
    for name, korean in INDEX_FAMILIES[prefix].items():
        bar = market.index_bars(name)[day]
        rows.append(
            {
                "BAS_DD": params["basDd"],
                "IDX_CLSS": prefix.upper(),
                "IDX_NM": korean,
                "CLSPRC_IDX": str(bar.close),
                "CMPPREVDD_IDX": str(bar.change),
                "FLUC_RT": str(bar.change_rate),
                "OPNPRC_IDX": str(bar.open),
                "HGPRC_IDX": str(bar.high),
                "LWPRC_IDX": str(bar.low),
                "ACC_TRDVOL": str(bar.volume),
                "ACC_TRDVAL": str(bar.value),
                "MKTCAP": str(bar.market_cap),
            }
        )
    return {"OutBlock_1": rows}


def answer(
    market: Market, api: str, params: dict[str, str], now: datetime
) -> dict[str, Any] | None:
    """Records of one market and day, or None for an unknown service; empty on a holiday and before 08:00 of the next day."""
    prefix, _, family = api.removesuffix(".json").partition("_")
    if prefix not in MARKETS or family not in FAMILIES:
        return None
    day = _published_day(market, params.get("basDd"), now)
    if day is None:
        return {"OutBlock_1": []}
    make = _daily if family == "bydd_trd" else _base_info
    return {
        "OutBlock_1": [
            make(stock, params["basDd"])
            for stock in market.listed(day)
            if stock.market_on(day)[0].split()[0] == MARKETS[prefix]
        ]
    }


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {
        "KRX_OPENAPI_BASE_URL": f"{base_url}{PREFIX}",
        "KRX_OPENAPI_KEY": KEY,
        "KRX_OPENAPI_REQUESTS_PER_MINUTE": "0",
    }


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)

    @routes.get("/svc/apis/{category}/{api}")
    def ask(category: str, api: str, request: Request) -> Response:
        if request.headers.get("auth_key") != KEY:
            return reply({"respMsg": "Unauthorized Key", "respCode": "401"}, status=401)
        make = {"sto": answer, "idx": index_answer, "etp": fund_answer}.get(category)
        params = dict(request.query_params)
        payload = make(stage.market, api, params, stage.now) if make else None
        if payload is None:
            message = f"[svc/apis/{category}/{api}] API referenced by the path does not exist."
            return reply({"respMsg": message, "respCode": "404"}, status=404)
        return stage.answer(request, payload)

    return routes
