"""The exchange's Open API as the simulator plays it: one market and day a call, every value a string."""

from datetime import datetime, time
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


def answer(
    market: Market, api: str, params: dict[str, str], now: datetime
) -> dict[str, Any] | None:
    """Records of one market and day, or None for an unknown service; empty on a holiday and before 08:00 of the next day."""
    prefix, _, family = api.removesuffix(".json").partition("_")
    if prefix not in MARKETS or family not in FAMILIES:
        return None
    day = parse_day(params.get("basDd"))
    if day not in market.sessions or day is None:
        return {"OutBlock_1": []}
    published = datetime.combine(calendar.next_session(day), PUBLISHED_AT, calendar.KST)
    if now < published:
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

    @routes.get("/svc/apis/sto/{api}")
    def ask(api: str, request: Request) -> Response:
        if request.headers.get("auth_key") != KEY:
            return reply({"respMsg": "Unauthorized Key", "respCode": "401"}, status=401)
        payload = answer(stage.market, api, dict(request.query_params), stage.now)
        if payload is None:
            message = f"[svc/apis/sto/{api}] API referenced by the path does not exist."
            return reply({"respMsg": message, "respCode": "404"}, status=404)
        return stage.answer(request, payload)

    return routes
