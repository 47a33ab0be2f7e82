"""Kiwoom's REST API as the simulator plays it: one path a family, the call named by a header, pages by `cont-yn`.

Numbers are texts with the vendor's habits: prices bear the sign of the day's change, a negative flow may bear two signs,
lists pad with zeros. A test may count tokens and end one with `POST /kiwoom/_expire`.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import Bar, Etf, Security, Stock, parse_day, yyyymmdd
from sandbox.simulator.stage import JsonFields, Stage, reply

PREFIX = "/kiwoom"
APP_KEY = "sample-app-key"
SECRET_KEY = "sample-secret-key"  # noqa: S105 - opens nothing but the simulator
MARKETS = {"0": "KOSPI", "10": "KOSDAQ", "50": "KONEX"}
MARKET_NAMES = {"KOSPI": ("0", "거래소"), "KOSDAQ": ("10", "코스닥"), "KONEX": ("50", "코넥스")}
PAGE_ROWS = {"ka10081": 600, "ka10080": 900, "ka10059": 100}
FINAL_AT = time(18, 0)
LISTS = {
    "ka10099": "list",
    "ka10081": "stk_dt_pole_chart_qry",
    "ka10080": "stk_min_pole_chart_qry",
    "ka10059": "stk_invsr_orgn",
}
PATHS = {
    "ka10099": "stkinfo",
    "ka10001": "stkinfo",
    "ka10081": "chart",
    "ka10080": "chart",
    "ka10059": "stkinfo",
}
FIELDS = {
    "ind_invsr": ("개인",),
    "frgnr_invsr": ("외국인",),
    "fnnc_invt": ("금융투자",),
    "insrnc": ("보험",),
    "invtrt": ("투신",),
    "etc_fnnc": ("기타금융",),
    "bank": ("은행",),
    "penfnd_etc": ("연기금 등",),
    "samo_fund": ("사모",),
    "etc_corp": ("기타법인",),
    "natfor": ("기타외국인",),
    "orgn": ("금융투자", "보험", "투신", "기타금융", "은행", "연기금 등", "사모"),
}
OK = {"return_code": 0, "return_msg": "정상적으로 처리되었습니다"}
REFUSED = {"return_code": 3, "return_msg": "인증에 실패했습니다[8005:Token이 유효하지 않습니다]"}

Record = dict[str, Any]


def _price(value: int, bar: Bar) -> str:
    sign = "+" if bar.change > 0 else "-" if bar.change < 0 else ""
    return f"{sign}{value}"


def _signed(value: int) -> str:
    """A negative number of a flow, with two signs as the vendor writes some of them."""
    return f"-{value}" if value < 0 and value % 2 else str(value)


def _direction(bar: Bar) -> str:
    return "2" if bar.change > 0 else "5" if bar.change < 0 else "3"


class _Answers:
    """What each call tells."""

    def __init__(self, stage: Stage) -> None:
        self._market = stage.market
        self._stage = stage

    @property
    def _now(self) -> datetime:
        return self._stage.now

    @property
    def _today(self) -> date:
        return self._now.date()

    def _days(self, security: Security, base: str, final_at: time = FINAL_AT) -> list[date]:
        """Sessions with a bar up to a day, newest first."""
        last = parse_day(base) or self._today
        return [
            day
            for day in sorted(security.bars, reverse=True)
            if day <= last and datetime.combine(day, final_at, calendar.KST) <= self._now
        ]

    def names(self, body: Record) -> list[Record]:
        wanted = body.get("mrkt_tp", "")
        if wanted == "8":
            return [self._name(etf, "8", "ETF") for etf in self._market.etfs]
        return [
            self._name(stock, *MARKET_NAMES[stock.board_on(self._today)])
            for stock in self._market.listed(self._today)
            if stock.board_on(self._today) == MARKETS.get(wanted)
        ]

    def _name(self, security: Stock | Etf, market_code: str, market_name: str) -> Record:
        last = security.bars[max(security.bars)]
        name = security.name_on(self._today) if isinstance(security, Stock) else security.name
        return {
            "code": security.code,
            "name": name,
            "listCount": f"{last.shares:016d}",
            "auditInfo": "정상",
            "regDay": yyyymmdd(security.listed),
            "lastPrice": f"{last.close:08d}",
            "state": "증거금100%",
            "marketCode": market_code,
            "marketName": market_name,
            "upName": "",
            "upSizeName": "",
            "companyClassName": "",
            "orderWarning": "0",
            "nxtEnable": "Y",
        }

    def basics(self, body: Record) -> Record:
        stock = self._market.by_code(body.get("stk_cd", ""))
        days = self._days(stock, "") if stock else []
        if stock is None or not days:
            return {"stk_cd": "", "stk_nm": "", "flo_stk": "", "dstr_stk": "", "dstr_rt": ""}
        bar = stock.bars[days[0]]
        floating = stock.float_shares_on(days[0]) or bar.shares
        return {
            "stk_cd": stock.code,
            "stk_nm": stock.name_on(days[0]),
            "setl_mm": "12",
            "fav": stock.par_on(days[0]),
            "flo_stk": str(round(bar.shares / 1000)),
            "mac": str(bar.market_cap // 100_000_000),
            "250hgst": _price(bar.high, bar),
            "250lwst": _price(bar.low, bar),
            "base_pric": str(bar.base),
            "cur_prc": _price(bar.close, bar),
            "pre_sig": _direction(bar),
            "pred_pre": f"{bar.change:+d}",
            "flu_rt": f"{bar.change_rate:+.2f}",
            "trde_qty": str(bar.volume),
            "fav_unit": "원",
            "dstr_stk": str(round(floating / 1000)),
            "dstr_rt": f"{100 * floating / bar.shares:.1f}",
        }

    def daily(self, body: Record) -> list[Record]:
        security = self._market.security(body.get("stk_cd", ""))
        rows = []
        for day in self._days(security, body.get("base_dt", "")) if security else []:
            assert security is not None
            bar = security.bars[day]
            # on a day without trades the vendor shows the previous close everywhere
            open_, high, low = (price or bar.close for price in (bar.open, bar.high, bar.low))
            rows.append(
                {
                    "cur_prc": _price(bar.close, bar),
                    "trde_qty": str(bar.volume),
                    "trde_prica": str(round(bar.value / 1_000_000)),
                    "dt": yyyymmdd(day),
                    "open_pric": _price(open_, bar),
                    "high_pric": _price(high, bar),
                    "low_pric": _price(low, bar),
                    "pred_pre": f"{bar.change:+d}",
                    "pred_pre_sig": _direction(bar),
                    "trde_tern_rt": "+0.16",
                }
            )
        return rows

    def minutes(self, body: Record) -> list[Record]:
        security = self._market.security(body.get("stk_cd", ""))
        rows: list[Record] = []
        base = body.get("base_dt", "")
        for day in self._days(security, base, time(9)) if security else []:
            assert security is not None
            bar = security.bars[day]
            bars = self._market.minutes_until(security, day, self._now)
            traded = 0
            of_day = []
            for minute in bars:
                traded += minute.volume
                of_day.append(
                    {
                        "cur_prc": _price(minute.close, bar),
                        "trde_qty": str(minute.volume),
                        "cntr_tm": minute.start.strftime("%Y%m%d%H%M%S"),
                        "open_pric": _price(minute.open, bar),
                        "high_pric": _price(minute.high, bar),
                        "low_pric": _price(minute.low, bar),
                        "acc_trde_qty": str(traded),
                        "pred_pre": f"{bar.change:+d}",
                        "pred_pre_sig": _direction(bar),
                    }
                )
            rows += reversed(of_day)
        return rows

    def investors(self, body: Record) -> list[Record]:
        stock = self._market.by_code(body.get("stk_cd", ""))
        if stock is None:
            return []
        side, is_value = body.get("trde_tp"), body.get("amt_qty_tp") == "1"
        unit = 1_000_000 if is_value else int(body.get("unit_tp", "1000"))
        rows = []
        for day in self._days(stock, body.get("dt", "")):
            bar, flows = stock.bars[day], stock.flows.get(day, {})
            amounts: dict[str, int] = {}
            for field, leaves in FIELDS.items():
                bought, sold = (
                    sum(flows[leaf][number + 2 * is_value] for leaf in leaves if leaf in flows)
                    for number in (0, 1)
                )
                amounts[field] = {"1": bought, "2": sold}.get(str(side), bought - sold)
            rows.append(
                {
                    "dt": yyyymmdd(day),
                    "cur_prc": _price(bar.close, bar),
                    "pre_sig": _direction(bar),
                    "pred_pre": f"{bar.change:+d}",
                    "flu_rt": f"{round(100 * bar.change_rate):+d}",
                    "acc_trde_qty": str(bar.volume),
                    "acc_trde_prica": str(round(bar.value / 1_000_000)),
                    **{field: _signed(round(amount / unit)) for field, amount in amounts.items()},
                    "natn": "0",
                }
            )
        return rows


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {
        "KIWOOM_BASE_URL": f"{base_url}{PREFIX}",
        "KIWOOM_APP_KEY": APP_KEY,
        "KIWOOM_SECRET_KEY": SECRET_KEY,
        "KIWOOM_REQUESTS_PER_MINUTE": "0",
    }


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)
    answers = _Answers(stage)
    calls: dict[str, Callable[[Record], list[Record] | Record]] = {
        "ka10099": answers.names,
        "ka10001": answers.basics,
        "ka10081": answers.daily,
        "ka10080": answers.minutes,
        "ka10059": answers.investors,
    }
    numbers = count(1)
    valid: set[str] = set()

    @routes.post("/oauth2/token")
    def token(request: Request, body: JsonFields) -> Response:
        if (body.get("appkey"), body.get("secretkey")) != (APP_KEY, SECRET_KEY):
            refused = {"return_code": 3, "return_msg": "App Key가 유효하지 않습니다[8001]"}
            return reply(refused)
        valid.clear()
        valid.add(f"sample-token-{next(numbers)}")
        # the loaders' own clock is the real one: a token of the frozen day would be old at once
        expires_at = (datetime.now(calendar.KST) + timedelta(days=1)).strftime("%Y%m%d%H%M%S")
        payload = {"expires_dt": expires_at, "token_type": "bearer", "token": next(iter(valid))}
        return stage.answer(request, payload | OK, topic="au10001")

    @routes.post("/_expire")
    def expire() -> Response:
        valid.clear()
        return reply({})

    @routes.post("/api/dostk/{family}")
    def ask(family: str, request: Request, body: JsonFields) -> Response:
        api_id = request.headers.get("api-id", "")
        stage.note(f"{PREFIX}/{api_id}")
        last_page = {"cont-yn": "N", "next-key": "", "api-id": api_id}
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in valid:
            return reply(REFUSED, headers=last_page)
        if PATHS.get(api_id) != family:
            wrong = {"return_code": 1, "return_msg": f"지원하지 않는 API ID 입니다[{api_id}]"}
            return reply(wrong, headers=last_page)
        found = calls[api_id](body)
        if isinstance(found, dict):
            return stage.answer(request, found | OK, topic=api_id, headers=last_page)
        start = int(request.headers.get("next-key") or "0")
        end = start + PAGE_ROWS.get(api_id, len(found) or 1)
        headers = last_page if end >= len(found) else {"cont-yn": "Y", "next-key": str(end)}
        # charts name the code that was asked for
        named = {"stk_cd": str(body.get("stk_cd", ""))} if family == "chart" else {}
        payload = named | {LISTS[api_id]: found[start:end]} | OK
        return stage.answer(request, payload, topic=api_id, headers=headers)

    return routes
