"""Korea Investment & Securities' REST API as the simulator plays it: a token, a transaction by header, every value a string.

A test may limit the rate with `POST /kis/_limit` (`per_second`), end the present token with `POST /kis/_expire`, and count
tokens with `GET /kis/_tokens`.
"""

import time as clock
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from loaders import calendar
from sandbox.simulator.market import (
    Bar,
    CorporateAction,
    Etf,
    Security,
    Stock,
    parse_day,
    yyyymmdd,
)
from sandbox.simulator.stage import JsonFields, Stage, reply

PREFIX = "/kis"
APP_KEY = "sample-kis-app-key"
APP_SECRET = "sample-kis-app-secret"  # noqa: S105 - opens nothing but the simulator
DAILY_ROWS, MINUTE_ROWS, INVESTOR_ROWS, DEPOSITORY_ROWS, HOLIDAY_ROWS = 100, 120, 30, 50, 25
SESSIONS_KEPT = 250
FLOWS_FROM = time(15, 40)
OK = {"rt_cd": "0", "msg_cd": "MCA00000", "msg1": "정상처리 되었습니다."}
MORE = {"tr_cont": "M"}
LAST = {"tr_cont": "D"}
VENUES = ("J", "NX", "UN")
INVESTORS = {
    "prsn": ("개인",),
    "scrt": ("금융투자",),
    "insu": ("보험",),
    "ivtr": ("투신",),
    "pe_fund": ("사모",),
    "bank": ("은행",),
    "mrbn": ("기타금융",),
    "fund": ("연기금 등",),
    "orgn": ("금융투자", "보험", "투신", "사모", "은행", "기타금융", "연기금 등"),
    "frgn": ("외국인", "기타외국인"),
    "frgn_reg": ("외국인",),
    "frgn_nreg": ("기타외국인",),
    "etc": ("기타법인",),
    "etc_corp": ("기타법인",),
    "etc_orgt": (),
}
MARKET_IDS = {"KOSPI": "STK", "KOSDAQ": "KSQ", "KONEX": "KNX"}

Record = dict[str, Any]
Answer = tuple[Record, dict[str, str]]
"""A body and the headers that go with it."""


def _texts(record: Record) -> Record:
    return {name: str(value) for name, value in record.items()}


def _sign(change: int) -> str:
    return "2" if change > 0 else "5" if change < 0 else "3"


def _slashed(day: date | None) -> str:
    return day.strftime("%Y/%m/%d") if day else ""


def _million(value: int) -> int:
    return round(value / 1_000_000)


class _Answers:
    """What each transaction tells."""

    def __init__(self, stage: Stage) -> None:
        self._market = stage.market
        self._stage = stage

    @property
    def _now(self) -> datetime:
        return self._stage.now

    @property
    def _today(self) -> date:
        return self._now.date()

    def _security(self, params: Record) -> Security | None:
        return self._market.security(str(params.get("FID_INPUT_ISCD", "")))

    def _snapshot(self, security: Security, *without: str) -> Record:
        """What stands in output1: the security as of now; each kind of request leaves out other fields."""
        bar = security.bars[max(day for day in security.bars if day <= self._today)]
        if bar.day == self._today and self._now < calendar.session_close(bar.day):
            traded = self._market.minutes_until(security, bar.day, self._now)
            volume, value = sum(one.volume for one in traded), sum(one.value for one in traded)
            bar = replace(
                bar, close=traded[-1].close if traded else bar.base, volume=volume, value=value
            )
        fields = _texts(
            {
                "prdy_vrss": bar.change,
                "prdy_vrss_sign": _sign(bar.change),
                "prdy_ctrt": f"{bar.change_rate:.2f}",
                "stck_prdy_clpr": bar.base,
                "acml_vol": bar.volume,
                "acml_tr_pbmn": bar.value,
                "hts_kor_isnm": security.name_on(self._today),
                "stck_prpr": bar.close,
                "stck_shrn_iscd": security.code,
                "lstn_stcn": bar.shares,
            }
        )
        return {name: value for name, value in fields.items() if name not in without}

    # --- prices ---

    def daily(self, params: Record) -> Answer:
        """Daily bars, newest first, cut at 100; adjusted ones by the price factors since."""
        security = self._security(params)
        start, end = parse_day(params["FID_INPUT_DATE_1"]), parse_day(params["FID_INPUT_DATE_2"])
        if security is None or start is None or end is None:
            return {"output1": {}, "output2": [], **OK}, {}
        is_adjusted = params["FID_ORG_ADJ_PRC"] == "0"
        days = sorted((day for day in security.bars if start <= day <= end), reverse=True)
        rows = [
            self._daily_row(security, security.bars[day], is_adjusted) for day in days[:DAILY_ROWS]
        ]
        return {"output1": self._snapshot(security), "output2": rows, **OK}, {}

    def _daily_row(self, security: Security, bar: Bar, is_adjusted: bool) -> Record:
        factor = 1.0
        if is_adjusted and isinstance(security, Stock):
            factor = security.price_factor(bar.day, self._today)
        return _texts(
            {
                "stck_bsop_date": yyyymmdd(bar.day),
                "stck_clpr": round(bar.close * factor),
                "stck_oprc": round(bar.open * factor),
                "stck_hgpr": round(bar.high * factor),
                "stck_lwpr": round(bar.low * factor),
                "acml_vol": round(bar.volume / factor),
                "acml_tr_pbmn": bar.value,
                "flng_cls_code": "00",
                "prtt_rate": "0.00",
                "mod_yn": "N" if bar.volume else "Y",
                "prdy_vrss_sign": _sign(bar.change),
                "prdy_vrss": round(bar.change * factor),
                "revl_issu_reas": "",
            }
        )

    def minutes(self, params: Record) -> Answer:
        """Minutes up to an hour, newest first, 120 a page; the end of the day before follows the first of a day."""
        security = self._security(params)
        day = parse_day(params["FID_INPUT_DATE_1"])
        if security is None or day is None:
            return {"output1": {}, "output2": [], **OK}, {}
        kept = calendar.sessions(date(self._today.year - 2, 1, 1), self._today)[-SESSIONS_KEPT:]
        rows: list[Record] = []
        if day in kept:
            rows = [
                row
                for row in self._minute_rows(security, day, params["FID_COND_MRKT_DIV_CODE"])
                if row["stck_cntg_hour"] <= params["FID_INPUT_HOUR_1"]
            ]
            if rows and len(rows) < MINUTE_ROWS and day > self._market.sessions[0]:
                before = calendar.previous_session(day)
                rows += self._minute_rows(security, before, "J")[:5]
        header = self._snapshot(security, "stck_shrn_iscd", "lstn_stcn")
        return {"output1": header, "output2": rows[:MINUTE_ROWS], **OK}, {}

    def _minute_rows(self, security: Security, day: date, venue: str) -> list[Record]:
        if venue == "NX":
            return []  # nothing is traded on Nextrade here
        # the first session of a year was seen with labels off the minute
        seconds = "11" if calendar.previous_session(day).year < day.year else "00"
        rows, total = [], 0
        for bar in self._market.minutes_until(security, day, self._now):
            total += bar.value
            rows.append(
                _texts(
                    {
                        "stck_bsop_date": yyyymmdd(day),
                        "stck_cntg_hour": bar.start.strftime("%H%M") + seconds,
                        "stck_prpr": bar.close,
                        "stck_oprc": bar.open,
                        "stck_hgpr": bar.high,
                        "stck_lwpr": bar.low,
                        "cntg_vol": bar.volume,
                        "acml_tr_pbmn": total,
                    }
                )
            )
        return rows[::-1]

    def investors(self, params: Record) -> Answer:
        """Flows up to a day, newest first, 30 a page, in million won; not served before 15:40."""
        if self._now.time() < FLOWS_FROM:
            return {"rt_cd": "2", "msg_cd": "", "msg1": "TIME LIMIT 00:00 ~ 15:40"}, {}
        stock = self._market.by_code(str(params.get("FID_INPUT_ISCD", "")))
        end = parse_day(params["FID_INPUT_DATE_1"])
        if stock is None or end is None:
            return {"output1": {}, "output2": [], **OK}, {}
        days = sorted((day for day in stock.flows if day <= end), reverse=True)
        rows = [self._flow_row(stock, day) for day in days[:INVESTOR_ROWS]]
        headers = MORE if len(days) > INVESTOR_ROWS else LAST
        header = self._snapshot(
            stock, "stck_shrn_iscd", "lstn_stcn", "hts_kor_isnm", "acml_tr_pbmn", "stck_prdy_clpr"
        )
        return {"output1": header, "output2": rows, **OK}, headers

    @staticmethod
    def _flow_row(stock: Stock, day: date) -> Record:
        bar, flows = stock.bars[day], stock.flows[day]
        row: Record = {
            "stck_bsop_date": yyyymmdd(day),
            "stck_clpr": bar.close,
            "prdy_vrss": bar.change,
            "prdy_vrss_sign": _sign(bar.change),
            "prdy_ctrt": f"{bar.change_rate:.2f}",
            "acml_vol": bar.volume,
            "acml_tr_pbmn": bar.value,
            "stck_oprc": bar.open,
            "stck_hgpr": bar.high,
            "stck_lwpr": bar.low,
            "bold_yn": "N",
        }
        for prefix, leaves in INVESTORS.items():
            bought, sold, paid, got = (
                sum(flows[leaf][column] for leaf in leaves if leaf in flows) for column in range(4)
            )
            paid, got = _million(paid), _million(got)
            if prefix in ("frgn_reg", "frgn_nreg"):
                names = ("ntby_qty", "ntby_pbmn", "bidp_qty", "askp_qty", "bidp_pbmn", "askp_pbmn")
            else:
                quantity = "vol" if prefix in ("pe_fund", "etc_corp", "etc_orgt") else "qty"
                names = (
                    f"ntby_{quantity}", "ntby_tr_pbmn", "shnu_vol", "seln_vol", "shnu_tr_pbmn", "seln_tr_pbmn",
                )  # fmt: skip
            values = (bought - sold, paid - got, bought, sold, paid, got)
            row |= {f"{prefix}_{name}": value for name, value in zip(names, values, strict=True)}
        return _texts(row)

    # --- events ---

    def holidays(self, params: Record) -> Answer:
        """Calendar days from one on, 25 a page; the key of the next page stands in the body, padded."""
        asked = params.get("CTX_AREA_NK", "").strip() or params["BASS_DT"]
        start = parse_day(asked)
        if start is None:
            return {"rt_cd": "1", "msg_cd": "KIOK0510", "msg1": "조회일자를 확인하십시오"}, {}
        days = [start + timedelta(days=n) for n in range(HOLIDAY_ROWS)]
        rows = []
        for day in days:
            is_open = calendar.is_session(day)
            rows.append(
                {
                    "bass_dt": yyyymmdd(day),
                    "wday_dvsn_cd": f"{day.isoweekday() % 7 + 1:02d}",
                    "bzdy_yn": "Y" if is_open else "N",
                    "tr_day_yn": "Y",
                    "opnd_yn": "Y" if is_open else "N",
                    "sttl_day_yn": "Y" if is_open else "N",
                }
            )
        following = yyyymmdd(days[-1] + timedelta(days=1))
        body = {
            "ctx_area_nk": following.ljust(20),
            "ctx_area_fk": yyyymmdd(start).ljust(20),
            "output": rows,
            **OK,
        }
        return body, MORE

    def fund_parts(self, params: Record) -> Answer:
        """The parts of a fund as of now: neither a date nor a count of shares."""
        fund = self._market.etf(str(params.get("FID_INPUT_ISCD", "")))
        if fund is None:
            return {"output1": {}, "output2": [], **OK}, {}
        day = max(day for day in fund.unit_values if day <= self._today)
        holdings = [
            holding
            for holding in fund.holdings(day)
            if holding.kind in ("STOCK", "ETF") and holding.price and holding.value
        ]
        whole = fund.unit_values[day]
        rows = [
            _texts(
                {
                    "stck_shrn_iscd": holding.code,
                    "hts_kor_isnm": holding.name,
                    "stck_prpr": holding.price,
                    "etf_cnfg_issu_avls": holding.value,
                    "etf_cnfg_issu_rlim": f"{100 * (holding.value or 0) / whole:.2f}",
                    "etf_vltn_amt": round((holding.shares or 0) * (holding.previous_price or 0)),
                }
            )
            for holding in holdings
        ]
        head = {
            "nav": fund.nav(day),
            "etf_cu_unit_scrt_cnt": fund.creation_unit,
            "etf_cnfg_issu_cnt": len(rows),
        }
        header = self._snapshot(
            fund,
            "stck_shrn_iscd", "lstn_stcn", "hts_kor_isnm", "acml_vol", "acml_tr_pbmn", "stck_prdy_clpr",
        )  # fmt: skip
        return {"output1": header | _texts(head), "output2": rows, **OK}, {}

    def stock_info(self, params: Record) -> Answer:
        """Some of the facts of one stock as of now."""
        security = self._market.security(str(params.get("PDNO", "")))
        if security is None:
            return {"rt_cd": "1", "msg_cd": "KIOK0560", "msg1": "조회할 내용이 없습니다"}, {}
        board = "KOSPI" if isinstance(security, Etf) else security.board_on(self._today)
        bar = security.bars[max(day for day in security.bars if day <= self._today)]
        listed = yyyymmdd(security.listed)
        record = {
            "pdno": security.code.rjust(12, "0"),
            "prdt_type_cd": "300",
            "mket_id_cd": MARKET_IDS[board],
            "scty_grp_id_cd": "EF" if isinstance(security, Etf) else "ST",
            "lstg_stqt": bar.shares,
            "scts_mket_lstg_dt": listed if board == "KOSPI" else "",
            "kosdaq_mket_lstg_dt": listed if board == "KOSDAQ" else "",
            "prdt_abrv_name": security.name_on(self._today),
            "std_pdno": security.isin,
            "prdt_eng_name": security.name_en,
            "lstg_abol_dt": "",
        }
        return {"output": _texts(record), **OK}, {}

    def depository(self, kind: str, params: Record) -> list[Record]:
        """Records of a kind by record date, newest first."""
        start, end = parse_day(params["F_DT"]), parse_day(params["T_DT"])
        if start is None or end is None:
            return []
        make, kinds = RECORDS[kind]
        code = params.get("SHT_CD", "").strip()
        return [
            _texts(make(action))
            for action in reversed(self._market.corporate_actions)
            if action.kind in kinds
            and start <= (action.listing_date or date.max if kind == "list-info" else action.record_date) <= end
            and code in ("", action.stock.code)
        ]  # fmt: skip


def _dated(action: CorporateAction) -> Record:
    return {"record_date": yyyymmdd(action.record_date), "sht_cd": action.stock.code}


def _named(action: CorporateAction) -> Record:
    return _dated(action) | {
        "isin_name": action.stock.name_on(action.record_date),
        "stk_kind": "우선" if action.stock.is_preferred else "보통",
    }


def _halt(action: CorporateAction) -> Record:
    halted = f"{_slashed(action.halted_from)} ~ {_slashed(action.halted_to)}"
    return {
        "td_stop_dt": halted if action.halted_from else "",
        "list_dt": _slashed(action.listing_date),
    }


def _split(action: CorporateAction) -> Record:
    pars = {"inter_bf_face_amt": action.par_before, "inter_af_face_amt": action.par_after}
    named = {name: value for name, value in _named(action).items() if name != "stk_kind"}
    return named | _halt(action) | pars


def _issue(action: CorporateAction) -> Record:
    return _named(action) | {
        "fix_rate": f"{float(action.ratio or 0) * 100:.4f}",
        "right_dt": yyyymmdd(action.ex_date),
        "list_date": _slashed(action.listing_date),
        "tot_issue_stk_qty": action.total_shares,
        "issue_stk_qty": action.issued_shares,
        "odd_rec_price": 0,
        "odd_pay_dt": "",
    }


def _rights(action: CorporateAction) -> Record:
    kept = {name: value for name, value in _issue(action).items() if not name.startswith("odd_")}
    return kept | {
        "disc_rate": "20.00",
        "fix_price": action.price,
        "sub_term_ft": "",
        "sub_term": "",
    }


def _reduction(action: CorporateAction) -> Record:
    return _named(action) | _halt(action) | {
        "reduce_cap_type": "무상감자",
        "reduce_cap_rate": f" {float(action.ratio or 0):.2f}",
        "comp_way": "곱하기",
    }  # fmt: skip


def _split_off(action: CorporateAction) -> Record:
    return _dated(action) | _halt(action) | {
        "opp_cust_cd": "",
        "opp_cust_nm": "",
        "cust_cd": "",
        "cust_nm": action.stock.name,
        "merge_type": "분할",
        "merge_rate": "1.0000",
        "odd_amt_pay_dt": "",
        "tot_issue_stk_qty": action.total_shares,
        "issue_stk_qty": action.issued_shares,
        "seq": "1",
    }  # fmt: skip


def _listing(action: CorporateAction) -> Record:
    reasons = {"SPLIT": "액면교체", "BONUS": "무상증자", "RIGHTS": "유상증자"}
    return {
        "list_dt": _slashed(action.listing_date),
        "sht_cd": action.stock.code,
        "isin_name": action.stock.name,
        "stk_kind": "보통",
        "issue_type": reasons.get(action.kind, "변경상장"),
        "issue_stk_qty": max(action.issued_shares, 0),
        "tot_issue_stk_qty": action.total_shares,
        "issue_price": action.price or 0,
    }


def _dividend(action: CorporateAction) -> Record:
    return _named(action) | {
        "divi_kind": "분기",
        "face_val": action.par_after,
        "per_sto_divi_amt": action.price,
        "divi_rate": "0.00",
        "stk_divi_rate": "0.00",
        "divi_pay_dt": "",
        "stk_div_pay_dt": "",
        "odd_pay_dt": "",
        "high_divi_gb": "",
    }


RECORDS: dict[str, tuple[Callable[[CorporateAction], Record], tuple[str, ...]]] = {
    "rev-split": (_split, ("SPLIT",)),
    "bonus-issue": (_issue, ("BONUS",)),
    "paidin-capin": (_rights, ("RIGHTS",)),
    "cap-dcrs": (_reduction, ("CAPITAL_REDUCTION",)),
    "merger-split": (_split_off, ("SPLIT_OFF",)),
    "list-info": (_listing, ("SPLIT", "BONUS", "RIGHTS", "CAPITAL_REDUCTION")),
    "dividend": (_dividend, ("DIVIDEND",)),
}
QUOTATIONS = "domestic-stock/v1/quotations"
TRANSACTIONS = {
    f"{QUOTATIONS}/inquire-daily-itemchartprice": ("FHKST03010100", "daily"),
    f"{QUOTATIONS}/inquire-time-dailychartprice": ("FHKST03010230", "minutes"),
    f"{QUOTATIONS}/investor-trade-by-stock-daily": ("FHPTJ04160001", "investors"),
    f"{QUOTATIONS}/chk-holiday": ("CTCA0903R", "holidays"),
    f"{QUOTATIONS}/search-stock-info": ("CTPF1002R", "stock_info"),
    "etfetn/v1/quotations/inquire-component-stock-price": ("FHKST121600C0", "fund_parts"),
}
DEPOSITORY_IDS = {
    "rev-split": "HHKDB669105C0",
    "bonus-issue": "HHKDB669101C0",
    "paidin-capin": "HHKDB669100C0",
    "cap-dcrs": "HHKDB669106C0",
    "merger-split": "HHKDB669104C0",
    "list-info": "HHKDB669107C0",
    "dividend": "HHKDB669102C0",
}


class _Desk:
    """Tokens and the rate: one token at a time, a minute between two requests for one."""

    def __init__(self) -> None:
        self.issued = 0
        self.is_expired = False
        self.minimum_interval = 0.0
        self.per_second = 0
        self._asked_at = float("-inf")
        self._recent: list[float] = []

    @property
    def token(self) -> str:
        return f"sample-token-{self.issued}"

    def may_issue(self) -> bool:
        now = clock.monotonic()
        if now - self._asked_at < self.minimum_interval:
            return False
        self._asked_at = now
        self.issued += 1
        self.is_expired = False
        return True

    def is_too_fast(self) -> bool:
        if not self.per_second:
            return False
        now = clock.monotonic()
        self._recent = [moment for moment in self._recent if now - moment < 1]
        if len(self._recent) >= self.per_second:
            return True
        self._recent.append(now)
        return False


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders at this vendor, without a limit of rate."""
    return {
        "KIS_BASE_URL": f"{base_url}{PREFIX}",
        "KIS_APP_KEY": APP_KEY,
        "KIS_APP_SECRET": APP_SECRET,
        "KIS_REQUESTS_PER_MINUTE": "0",
        "KIS_TOKEN_INTERVAL_SECONDS": "0",
    }


def router(stage: Stage) -> APIRouter:
    """Its routes."""
    routes = APIRouter(prefix=PREFIX)
    answers, desk = _Answers(stage), _Desk()

    @routes.post("/oauth2/tokenP")
    def issue(request: Request, wanted: JsonFields) -> Response:
        if (wanted.get("appkey"), wanted.get("appsecret")) != (APP_KEY, APP_SECRET):
            refused = {"error_description": "유효하지 않은 AppKey입니다.", "error_code": "EGW00103"}
            return reply(refused, status=403)
        if not desk.may_issue():
            often = {
                "error_description": "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)",
                "error_code": "EGW00133",
            }
            return reply(often, status=403)
        ends = datetime.now(calendar.KST) + timedelta(days=1)
        token = {
            "access_token": desk.token,
            "access_token_token_expired": ends.strftime("%Y-%m-%d %H:%M:%S"),
            "token_type": "Bearer",
            "expires_in": 86400,
        }
        return stage.answer(request, token)

    @routes.post("/_expire")
    def expire() -> Response:
        desk.is_expired = True
        return reply({})

    @routes.post("/_limit")
    def limit(wanted: JsonFields) -> Response:
        desk.per_second = int(wanted.get("per_second", desk.per_second))
        desk.minimum_interval = float(wanted.get("token_interval", desk.minimum_interval))
        return reply({"per_second": desk.per_second, "token_interval": desk.minimum_interval})

    @routes.get("/_tokens")
    def tokens() -> Response:
        return reply({"issued": desk.issued})

    def refusal(request: Request, tr_id: str) -> Response | None:
        """What the vendor says before it looks at a question."""
        headers = request.headers
        if headers.get("authorization") != f"Bearer {desk.token}" or desk.is_expired:
            expired = {"rt_cd": "1", "msg_cd": "EGW00123", "msg1": "기간이 만료된 token 입니다."}
            return reply(expired, status=500)
        if (headers.get("appkey"), headers.get("tr_id")) != (APP_KEY, tr_id):
            wrong = {"rt_cd": "1", "msg_cd": "EGW00103", "msg1": "유효하지 않은 AppKey입니다."}
            return reply(wrong, status=500)
        if desk.is_too_fast():
            fast = {"rt_cd": "1", "msg_cd": "EGW00201", "msg1": "초당 거래건수를 초과하였습니다."}
            return reply(fast, status=500)
        return None

    @routes.get("/uapi/domestic-stock/v1/ksdinfo/{kind}")
    def ask_depository(kind: str, request: Request) -> Response:
        if kind not in RECORDS:
            return reply("Not Found", status=404)
        if refused := refusal(request, DEPOSITORY_IDS[kind]):
            return refused
        params = dict(request.query_params)
        rows = answers.depository(kind, params)
        # the vendor remembers where a session of requests stands; here the page is told by the header alone
        is_continued = request.headers.get("tr_cont") == "N"
        page = rows[DEPOSITORY_ROWS:] if is_continued else rows[:DEPOSITORY_ROWS]
        has_more = not is_continued and len(rows) > DEPOSITORY_ROWS
        name = "output" if kind == "paidin-capin" else "output1"
        return stage.answer(
            request, {name: page, **OK}, topic=kind, headers=MORE if has_more else LAST
        )

    @routes.get("/uapi/{path:path}")
    def ask(path: str, request: Request) -> Response:
        if path not in TRANSACTIONS:
            return reply("Not Found", status=404)
        tr_id, name = TRANSACTIONS[path]
        if refused := refusal(request, tr_id):
            return refused
        body, headers = getattr(answers, name)(dict(request.query_params))
        return stage.answer(request, body, topic=tr_id, headers=headers)

    return routes
