"""The exchange's index site as the simulator plays it: cookies, one-time passwords, members by date, the change log."""

import base64
import hashlib
from datetime import datetime, time
from itertools import count
from typing import Any

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import Stock, parse_day
from sandbox.simulator.stage import FormFields, Record, Stage, reply

PREFIX = "/krx-index"
SCREEN = "/contents/MKD/03/0304/03040101/MKD03040101T3.jsp"
BLDS = {
    "1": "/IDX/03/0304/03040101/mkd03040101T3_01",
    "2": "/IDX/03/0304/03040101/mkd03040101T3_03",
}
INDEXES = {
    ("1", "028", "K2G01P"): "KOSPI200",
    ("2", "203", "Q5G01P"): "KOSDAQ150",
}
PUBLISHED_AT = time(18, 0)
DENIED = "<html><body>잘못된 접근입니다.</body></html>"


def _member(stock: Stock, text: str) -> Record:
    day = parse_day(text)
    assert day is not None
    bar = stock.bars[day]
    sign = "1" if bar.change > 0 else "2" if bar.change < 0 else "3"
    return {
        "isu_cd": stock.code,
        "isu_nm": stock.name_on(day),
        "tdd_clsprc": f"{bar.close:,}",
        "cmpprevdd_prc": f"{abs(bar.change):,}",
        "fluc_tp_cd": sign,
        "updn_rate": f"{bar.change_rate:.2f}",
        "acc_trdval": f"{bar.value:,}",
        "mktcap": f"{bar.market_cap:,}",
    }


def members(stage: Stage, index_name: str, form: dict[str, str]) -> list[Record]:
    """Members of an index on a day; none on a holiday and before the evening of the session."""
    day = parse_day(form.get("schdate"))
    if day is None or day not in stage.market.sessions:
        return []
    if stage.now < datetime.combine(day, PUBLISHED_AT, calendar.KST):
        return []
    return [
        _member(stock, form["schdate"]) for stock in stage.market.index_members(index_name, day)
    ]


def changes(stage: Stage, index_name: str, form: dict[str, str]) -> list[Record]:
    """Announced changes that take effect within the range asked, oldest first."""
    first, last = parse_day(form.get("fromdate")), parse_day(form.get("todate"))
    if first is None or last is None:
        return []

    def side(stock: Stock | None) -> tuple[str, str]:
        return (stock.isin, stock.name) if stock else ("", "")

    found = []
    for change in stage.market.index_changes(index_name):
        if first <= change.effective <= last and change.announced <= stage.now.date():
            entered, left = side(change.entered), side(change.left)
            found.append(
                {
                    "appl_dd": f"{change.effective:%Y/%m/%d}",
                    "transschl_isu_cd": entered[0],
                    "transschl_isu_nm": entered[1],
                    "excld_isu_cd": left[0],
                    "excld_isu_nm": left[1],
                }
            )
    return found


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {
        "KRX_INDEX_BASE_URL": f"{base_url}{PREFIX}",
        "KRX_INDEX_REQUESTS_PER_MINUTE": "0",
    }


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)
    numbers = count(1)
    passwords: dict[str, str] = {}
    """One-time password to what it was given for; used up by its first use."""

    @routes.get(SCREEN)
    def screen(request: Request) -> Response:
        page = "<html><head><title>코스피 200 구성종목</title></head><body></body></html>"
        cookie = {"set-cookie": "JSESSIONID=sample; Path=/"}
        return stage.answer(request, page, headers=cookie)

    @routes.get("/contents/COM/GenerateOTP.jspx")
    def one_time_password(request: Request) -> Response:
        if "JSESSIONID" not in request.cookies:
            return reply(DENIED)
        digest = hashlib.sha256(str(next(numbers)).encode()).digest() + bytes(16)
        password = base64.b64encode(digest).decode()
        passwords[password] = request.query_params.get("bld", "")
        return stage.answer(request, password, media_type="text/plain")

    @routes.post("/contents/IDX/99/IDX99000001.jspx")
    def ask(request: Request, form: FormFields) -> Response:
        kind = form.get("compst_isu_tp", "")
        granted = passwords.pop(form.get("code", ""), None)
        index_name = INDEXES.get((form.get("ind_tp_cd", ""), form.get("idx_ind_cd", ""), form.get("idx_id", "")))  # fmt: skip
        comes_from_page = SCREEN in request.headers.get("referer", "")
        if (
            granted is None
            or granted != BLDS.get(kind)
            or index_name is None
            or not comes_from_page
        ):
            return reply(DENIED)
        make = members if kind == "1" else changes
        payload: dict[str, Any] = {"output": make(stage, index_name, form)}
        topic = f"{make.__name__} {index_name} {form.get('schdate', '')}"
        return stage.answer(request, payload, topic=topic)

    return routes
