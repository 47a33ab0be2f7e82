"""FnGuide's company page as the simulator plays it: HTML in UTF-8, without a company for preferred shares."""

from datetime import datetime, time, timedelta

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import Market
from sandbox.simulator.stage import Stage

PREFIX = "/fnguide"
UPDATED_AT = time(18, 0)
PAGE = """<!DOCTYPE html>
<html lang="ko"><head><meta charset="utf-8"><title>{name}({gicode}) | Snapshot | 기업정보 | Company Guide</title></head>
<body><div class="corp_group1"><h1 id="giName">{name}</h1><h2>{code}</h2>
<p class="stxt_group"><span class="stxt stxt1">KSE  코스피</span><span class="stxt stxt2">FICS  {industry}</span></p></div>
{table}
</body></html>
"""
TABLE = """<div class="section ul_de"><h2>시세현황</h2><span class="date">[{day:%Y/%m/%d}]</span>
<table class="us_table_ty1"><tbody>
<tr><th scope="row">종가/ 전일대비</th><td class="r">{close:,}/ {change:+,}</td>
<th scope="row">거래량</th><td class="r">{volume:,}</td></tr>
<tr><th scope="row">시가총액(보통주,억원)</th><td class="r">{cap:,}</td><th scope="row">액면가</th><td class="r">{par}</td></tr>
<tr><th scope="row">발행주식수(보통주/ 우선주)</th><td class="r">{shares:,}/ {preferred:,}</td>
<th scope="row">유동주식수/비율(보통주)</th><td class="r">{floating:,} / {ratio:.2f}</td></tr>
</tbody></table></div>"""


def page(market: Market, gicode: str, now: datetime) -> str:
    """The page of a company; one without a name and a table for what is no common stock."""
    day = max(
        session
        for session in market.sessions
        if datetime.combine(session, UPDATED_AT, calendar.KST) <= now
        or session < now.date() - timedelta(days=1)
    )
    code = gicode.removeprefix("A")
    stock = market.by_code(code)
    bar = stock.bar_on(day) if stock else None
    floating = stock.float_shares_on(day) if stock else None
    if stock is None or bar is None or floating is None or not stock.is_listed(day):
        return PAGE.format(name="", gicode=gicode, code="", industry="", table="")
    table = TABLE.format(
        day=day,
        close=bar.close,
        change=bar.change,
        volume=bar.volume,
        cap=bar.close * bar.shares // 100_000_000,
        par=stock.par_on(day),
        shares=bar.shares,
        preferred=0,
        floating=floating,
        ratio=100 * floating / bar.shares,
    )
    return PAGE.format(
        name=stock.name_on(day),
        gicode=gicode,
        code=code,
        industry="반도체 및 관련장비",
        table=table,
    )


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {"FNGUIDE_BASE_URL": f"{base_url}{PREFIX}", "FNGUIDE_REQUESTS_PER_MINUTE": "0"}


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)

    @routes.get("/SVO2/asp/SVD_Main.asp")
    def ask(request: Request, gicode: str = "") -> Response:
        return stage.answer(request, page(stage.market, gicode, stage.now))

    return routes
