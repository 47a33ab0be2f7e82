"""WISEindex as the simulator plays it: the names of one sector and day, empty on a holiday and before the day is published."""

from datetime import date, datetime, time
from typing import Any

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import Market, Stock, parse_day
from sandbox.simulator.market.industries import WICS_GROUPS, WICS_SECTORS
from sandbox.simulator.stage import Stage, reply

PREFIX = "/wics"
PUBLISHED_AT = time(8, 0)
RETIRED = "G4535"
"""An industry group that the site still answers for, without names: its own are told in G4520."""

Record = dict[str, Any]


def _group_on(stock: Stock, day: date) -> str | None:
    group = stock.wics_on(day)
    return "G4520" if group == RETIRED else group


def _float_value(stock: Stock, day: date) -> int:
    bar, shares = stock.bar_on(day), stock.float_shares_on(day)
    return bar.close * shares if bar and shares else 0


def _list(market: Market, sector: str, day: date) -> list[Record]:
    named = [
        stock
        for stock in market.listed(day)
        if (_group_on(stock, day) or "").startswith(sector) and stock.float_shares_on(day)
    ]
    named.sort(key=lambda stock: _float_value(stock, day), reverse=True)
    whole = sum(_float_value(stock, day) for stock in named) or 1
    weights = [round(100 * _float_value(stock, day) / whole, 2) for stock in named]
    sums = [round(sum(weights[: position + 1]), 2) for position in range(len(weights))]
    name = (WICS_SECTORS | WICS_GROUPS)[sector]
    return [
        {
            "IDX_CD": sector,
            "IDX_NM_KOR": f"WICS {name}",
            "ALL_MKT_VAL": whole // 1_000_000,
            "CMP_CD": stock.code,
            "CMP_KOR": stock.name_on(day),
            "MKT_VAL": _float_value(stock, day) // 1_000_000,
            "WGT": weights[position],
            "S_WGT": sums[position],
            "CAL_WGT": 1.0,
            "SEC_CD": sector[:3],
            "SEC_NM_KOR": WICS_SECTORS[sector[:3]],
            "SEQ": position + 1,
            "TOP60": sum(1 for cumulated in sums if cumulated < 60) + 1,
            "APT_SHR_CNT": stock.float_shares_on(day),
        }
        for position, stock in enumerate(named)
    ]


def answer(market: Market, sector: str, day: date | None, now: datetime) -> Record:
    """The site's answer for a sector and day."""
    nothing: Record = {"info": {"TRD_DT": None, "CNT": 0}, "list": [], "sector": [], "size": []}
    if day is None or day not in market.sessions or sector not in WICS_SECTORS | WICS_GROUPS:
        return nothing
    published = datetime.combine(calendar.next_session(day), PUBLISHED_AT, calendar.KST)
    if now < published:
        return nothing
    midnight = datetime.combine(day, time(), calendar.KST)
    components = _list(market, sector, day)
    return {
        "info": {"TRD_DT": f"/Date({int(midnight.timestamp()) * 1000})/", "CNT": len(components)},
        "list": components,
        "sector": [
            {"SEC_CD": code, "SEC_NM_KOR": name, "SEC_RATE": 10.0, "IDX_RATE": 0}
            for code, name in WICS_SECTORS.items()
        ],
        "size": [],
    }


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {"WICS_BASE_URL": f"{base_url}{PREFIX}", "WICS_REQUESTS_PER_MINUTE": "0"}


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)

    @routes.get("/Index/GetIndexComponets")
    def ask(request: Request, dt: str = "", sec_cd: str = "") -> Response:
        if request.query_params.get("ceil_yn") not in ("0", "1"):
            return reply("Bad Request", status=400)
        payload = answer(stage.market, sec_cd, parse_day(dt), stage.now)
        return stage.answer(request, payload)

    return routes
