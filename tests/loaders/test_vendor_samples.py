"""The vendors' recorded answers, served as they are: every record and field in raw, and the marts say what they say."""

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from subprocess import CompletedProcess
from typing import Any

import pytest

from loaders.contracts import RawTable, raw_tables
from tests.conftest import ROOT, Database
from tests.replay import Asked, Reply, replaying

SAMPLES = ROOT.parent / "shared" / "vendors" / "samples"

LISTS = ("results", "output", "output1", "output2", "OutBlock_1", "block1", "list", "info",
         "stk_dt_pole_chart_qry", "stk_min_pole_chart_qry", "stk_invsr_orgn")  # fmt: skip
"""Names under which the vendors' envelopes keep records."""
ONE_RECORD = ("kiwoom/ka10001_basic.json",)
"""Answers that are one flat record."""

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(),
    reason="no ../shared/vendors/samples beside the project: they are not part of it",
)


@dataclass(frozen=True)
class Case:
    """One load of one sample.

    Attributes:
        sample: file below the folder of samples.
        tables: name of the list in the envelope to the endpoint in whose raw table its records arrive.
        asks: what the command names: dataset, scope, from, to.
        only: fields that a request must have to get the sample; any other gets `otherwise`.
        otherwise: sample that answers requests to the same place which are about something else.
        error: words of the line that refuses the answer, where it has to be refused.
    """

    source: str
    sample: str
    tables: Mapping[str, str]
    asks: tuple[str, ...]
    only: Mapping[str, str] = field(default_factory=dict)
    otherwise: Any = None
    error: str | None = None

    @property
    def id(self) -> str:
        return self.sample


def span(first: str, last: str | None = None) -> tuple[str, ...]:
    return ("--from", first, "--to", last or first)


def ask(dataset: str, scope: str | None = None, *days: str) -> tuple[str, ...]:
    return ("--dataset", dataset, *(("--scope", scope) if scope else ()), *days)


NOTHING = {"success": True, "results": []}
PORTAL = {"bld"}


def screen(number: str, name: str, scope: str, *days: str, key: str = "output") -> Case:
    """A screen of the exchange's data portal by its number."""
    return Case(
        "krx",
        f"krx_portal/{name}.json",
        {key: f"mdcstat{number}"},
        ask("portal_screens", scope, *days),
    )


CASES = [
    # --- infomax
    Case(
        "infomax",
        "infomax/stock_code.json",
        {"results": "stock/code"},
        ask("stocks"),
        {"type": "ST"},
        NOTHING,
    ),
    Case(
        "infomax",
        "infomax/stock_expired.json",
        {"results": "stock/expired"},
        ask("delisted_stocks", "2025"),
    ),
    Case(
        "infomax",
        "infomax/stock_hist.json",
        {"results": "stock/hist"},
        ask("ohlcv_daily", "005930", *span("2021-01-04")),
    ),
    Case(
        "infomax",
        "infomax/stock_hist_split_suspended_ohl_zero.json",
        {"results": "stock/hist"},
        ask("ohlcv_daily", "005930", *span("2018-04-27", "2018-05-04")),
    ),
    Case(
        "infomax",
        "infomax/stock_hist_split_suspended_ohl_close.json",
        {"results": "stock/hist"},
        ask("ohlcv_daily", "005930", *span("2018-04-27", "2018-05-04")),
    ),
    Case(
        "infomax",
        "infomax/stock_info.json",
        {"results": "stock/info"},
        ask("ohlcv_daily", None, *span("2021-01-04")),
        error="only 2 of 5 listed names",
    ),
    Case(
        "infomax",
        "infomax/stock_investor.json",
        {"results": "stock/investor"},
        ask("investor_trading", "005930", *span("2021-01-22")),
    ),
    Case(
        "infomax",
        "infomax/stock_foreign.json",
        {"results": "stock/foreign"},
        ask("foreign_ownership_daily", "005930", *span("2021-01-18")),
    ),
    Case(
        "infomax",
        "infomax/stock_rank.json",
        {"results": "stock/rank"},
        ask("market_rank_check", None, *span("2021-01-04")),
        {"market": "1"},
        NOTHING,
    ),
    Case(
        "infomax",
        "infomax/etf_port.json",
        {"results": "etf/port"},
        ask("etf_portfolios", "152100", *span("2021-04-02")),
        error="5 of 201 components came",
    ),
    Case("infomax", "infomax/index_code.json", {"results": "index/code"}, ask("index_list")),
    Case(
        "infomax",
        "infomax/index_constituents.json",
        {"results": "index/constituents"},
        ask("index_components", "KOSPI200"),
    ),
    Case(
        "infomax",
        "infomax/index_hist.json",
        {"results": "index/hist"},
        ask("index_daily", "KOSPI", *span("2022-01-27", "2022-01-28")),
    ),
    # --- kis
    Case(
        "kis",
        "kis/daily_chart_official_example.json",
        {"output2": "inquire-daily-itemchartprice/adjusted"},
        ask("ohlcv_daily_adjusted", "000660", *span("2022-05-01", "2022-05-09")),
    ),
    Case(
        "kis",
        "kis/daily_chart_adj_split_005930.json",
        {"output2": "inquire-daily-itemchartprice/adjusted"},
        ask("ohlcv_daily_adjusted", "005930", *span("2018-04-27", "2018-05-04")),
    ),
    Case(
        "kis",
        "kis/daily_chart_raw_split_005930.json",
        {
            "output2": "inquire-daily-itemchartprice",
            "output1": "inquire-daily-itemchartprice/output1",
        },
        ask("ohlcv_daily", "005930", *span("2018-04-27", "2018-05-04")),
    ),
    Case(
        "kis",
        "kis/daily_chart_measured_row.json",
        {
            "output2": "inquire-daily-itemchartprice",
            "output1": "inquire-daily-itemchartprice/output1",
        },
        ask("ohlcv_daily", "005930", *span("2026-08-20")),
    ),
    Case(
        "kis",
        "kis/minute_day.json",
        {
            "output2": "inquire-time-dailychartprice",
            "output1": "inquire-time-dailychartprice/output1",
        },
        ask("ohlcv_minute", "005930", *span("2026-09-29")),
    ),
    Case(
        "kis",
        "kis/minute_empty.json",
        {
            "output2": "inquire-time-dailychartprice",
            "output1": "inquire-time-dailychartprice/output1",
        },
        ask("ohlcv_minute", "005930", *span("2024-09-02")),
    ),
    Case(
        "kis",
        "kis/investor_daily.json",
        {
            "output2": "investor-trade-by-stock-daily",
            "output1": "investor-trade-by-stock-daily/output1",
        },
        ask("investor_trading", "005930", *span("2025-08-11")),
    ),
    Case("kis", "kis/chk_holiday.json", {"output": "chk-holiday"}, ask("trading_calendar")),
    Case(
        "kis",
        "kis/etf_components.json",
        {
            "output2": "inquire-component-stock-price",
            "output1": "inquire-component-stock-price/output1",
        },
        ask("etf_portfolios", "069500"),
    ),
    Case(
        "kis",
        "kis/search_stock_info.json",
        {"output": "search-stock-info"},
        ask("stocks", "005930"),
    ),
    Case(
        "kis",
        "kis/ksd_rev_split.json",
        {"output1": "ksdinfo/rev-split"},
        ask("corporate_actions", "rev-split", *span("2018-05-03")),
    ),
    Case(
        "kis",
        "kis/ksd_bonus_issue.json",
        {"output1": "ksdinfo/bonus-issue"},
        ask("corporate_actions", "bonus-issue", *span("2018-05-15")),
    ),
    # --- kiwoom
    Case("kiwoom", "kiwoom/ka10001_basic.json", {"": "ka10001"}, ask("floating_shares", "005930")),
    Case(
        "kiwoom",
        "kiwoom/ka10059_investor.json",
        {"stk_invsr_orgn": "ka10059"},
        ask("investor_trading", "005930", *span("2024-11-07")),
        {"amt_qty_tp": "1", "trde_tp": "0"},
        {"stk_invsr_orgn": [], "return_code": 0, "return_msg": ""},
    ),
    Case(
        "kiwoom",
        "kiwoom/ka10059_investor_double_sign.json",
        {"stk_invsr_orgn": "ka10059"},
        ask("investor_trading", "005930", *span("2024-11-07")),
        {"amt_qty_tp": "1", "trde_tp": "0"},
        {"stk_invsr_orgn": [], "return_code": 0, "return_msg": ""},
    ),
    Case(
        "kiwoom",
        "kiwoom/ka10080_minute.json",
        {"stk_min_pole_chart_qry": "ka10080"},
        ask("ohlcv_minute", "005930", *span("2025-09-17")),
    ),
    Case(
        "kiwoom",
        "kiwoom/ka10081_daily.json",
        {"stk_dt_pole_chart_qry": "ka10081"},
        ask("ohlcv_daily", "005930", *span("2025-09-05", "2025-09-08")),
    ),
    Case("kiwoom", "kiwoom/ka10099_list.json", {"list": "ka10099"}, ask("stocks", "KOSPI")),
    # --- krx
    Case(
        "krx",
        "krx_openapi/stk_bydd_trd.json",
        {"OutBlock_1": "stk_bydd_trd"},
        ask("ohlcv_daily", "KOSPI", *span("2026-08-14")),
    ),
    Case(
        "krx",
        "krx_openapi/stk_bydd_trd_commas.json",
        {"OutBlock_1": "stk_bydd_trd"},
        ask("ohlcv_daily", "KOSPI", *span("2021-01-04")),
    ),
    Case(
        "krx",
        "krx_openapi/etf_bydd_trd.json",
        {"OutBlock_1": "etf_bydd_trd"},
        ask("ohlcv_daily", "ETF", *span("2021-03-25")),
    ),
    Case(
        "krx",
        "krx_openapi/stk_isu_base_info.json",
        {"OutBlock_1": "stk_isu_base_info"},
        ask("stocks", "KOSPI", *span("2026-08-14")),
    ),
    Case(
        "krx",
        "krx_openapi/kospi_dd_trd.json",
        {"OutBlock_1": "kospi_dd_trd"},
        ask("index_daily", "KOSPI", *span("2022-01-28")),
    ),
    Case(
        "krx",
        "krx_index/changes.json",
        {"output": "index_changes"},
        ask("index_components", "KOSPI200:CHANGES"),
    ),
    Case(
        "krx",
        "krx_index/constituents.json",
        {"output": "index_members"},
        ask("index_components", "KOSPI200", *span("2021-01-29")),
        error="2 members for KOSPI200",
    ),
    Case(
        "krx", "krx_portal/finder_stkisu.json", {"block1": "finder_stkisu"}, ask("security_codes")
    ),
    Case(
        "krx",
        "krx_portal/finder_listdelisu.json",
        {"block1": "finder_listdelisu"},
        ask("security_codes"),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT01901_issue_base.json",
        {"OutBlock_1": "mdcstat01901"},
        ask("stocks", "KOSPI"),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT01501_daily_all.json",
        {"OutBlock_1": "mdcstat01501"},
        ask("ohlcv_daily", "ALL", *span("2021-01-04")),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT01701_daily_one_split_raw.json",
        {"output": "mdcstat01701"},
        ask("ohlcv_daily", "005930", *span("2018-04-27", "2018-05-04")),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT02303_investor_daily_detail_vol_sell.json",
        {"output": "mdcstat02303"},
        ask("investor_trading", "005930", *span("2021-01-19", "2021-01-20")),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT05001_etf_pdf.json",
        {"output": "mdcstat05001"},
        ask("etf_portfolios", "152100", *span("2021-04-02")),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT05001_etf_pdf_negative.json",
        {"output": "mdcstat05001"},
        ask("etf_portfolios", "114800", *span("2021-04-02")),
    ),
    Case(
        "krx", "krx_portal/MDCSTAT04601_etf_list.json", {"output": "mdcstat04601"}, ask("etf_list")
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT03701_foreign_holdings.json",
        {"output": "mdcstat03701"},
        ask("foreign_ownership_daily", "KOSPI", *span("2021-01-18")),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT03901_industry.json",
        {"block1": "mdcstat03901"},
        ask("sectors", "KOSPI", *span("2021-01-18")),
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT23801_delisted.json",
        {"output": "mdcstat23801"},
        ask("delisted_stocks"),
        {},
    ),
    Case(
        "krx",
        "krx_portal/MDCSTAT00601_index_constituents.json",
        {"output": "mdcstat00601"},
        ask("index_components", "KOSPI200", *span("2021-01-29")),
        error="2 members for KOSPI200",
    ),
    screen(
        "01501",
        "MDCSTAT01501_daily_all_holiday",
        "MDCSTAT01501?mktId=ALL&trdDd=20210103",
        *span("2021-01-04"),
        key="OutBlock_1",
    ),
    screen(
        "01602",
        "MDCSTAT01602_change_adj_split",
        "MDCSTAT01602?mktId=STK&adjStkPrc=2",
        *span("2018-04-27", "2018-05-04"),
        key="OutBlock_1",
    ),
    screen(
        "01701",
        "MDCSTAT01701_daily_one_adj",
        "MDCSTAT01701?isuCd=KR7000020008&adjStkPrc=2",
        *span("2020-01-01", "2020-01-15"),
    ),
    screen(
        "02301",
        "MDCSTAT02301_investor_period",
        "MDCSTAT02301?isuCd=KR7005930003&inqTpCd=1&trdVolVal=1&askBid=1",
        *span("2021-01-15", "2021-01-22"),
    ),
    screen(
        "02302",
        "MDCSTAT02302_investor_daily_value_net",
        "MDCSTAT02302?isuCd=KR7005930003&inqTpCd=2&trdVolVal=2&askBid=3",
        *span("2021-01-15", "2021-01-22"),
    ),
    screen(
        "02401",
        "MDCSTAT02401_investor_all_stocks_8000",
        "MDCSTAT02401?mktId=STK&invstTpCd=8000",
        *span("2021-01-15", "2021-01-22"),
    ),
    screen(
        "00401", "MDCSTAT00401_index_list", "MDCSTAT00401?idxIndMidclssCd=02", *span("2021-01-18")
    ),
    screen(
        "00301",
        "MDCSTAT00301_index_daily",
        "MDCSTAT00301?indIdx=1&indIdx2=001",
        *span("2022-01-26", "2022-02-02"),
    ),
    screen("04301", "MDCSTAT04301_etf_daily_all", "MDCSTAT04301", *span("2021-03-25")),
    screen(
        "04901",
        "MDCSTAT04901_etf_investor_period",
        "MDCSTAT04901?isuCd=KR70069M0006",
        *span("2026-01-16", "2026-01-23"),
    ),
    Case(
        "krx",
        "krx_portal/open_holidays.json",
        {"block1": "mkd01100305_01"},
        ask("trading_calendar", "2026"),
    ),
    # --- crawled lists
    Case(
        "wics",
        "wics/components_G10.json",
        {"list": "GetIndexComponets", "info": "GetIndexComponets/info"},
        ask("floating_shares", None, *span("2020-01-03")),
    ),
    Case("fnguide", "fnguide/float_snippet.html", {}, ask("floating_shares", "005930")),
]


# --- the vendor that replays -------------------------------------------------------------------------------------------


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))
    return found


def path_of(entry: Mapping[str, Any]) -> str:
    """Path of a sample's address without query; the Open API answers with and without `.json`."""
    return (
        re.sub(r"^https?://[^/]+", "", str(entry["url"]).split(" ")[0])
        .split("?")[0]
        .removesuffix(".json")
    )


def recorded(sample: str) -> Reply:
    entry = manifest()[sample]
    headers = {
        "Content-Type": entry.get("content_type", "application/json"),
        **entry.get("response_headers", {}),
    }
    return Reply((SAMPLES / sample).read_bytes(), entry.get("status", 200), headers)


def greetings(asked: Asked) -> Reply | None:
    """Tokens, one-time passwords and pages that come before an answer."""
    if asked.path == "/oauth2/tokenP":
        return recorded("kis/token.json")
    if asked.path == "/oauth2/token":
        token = json.loads(recorded("kiwoom/token.json").encoded())
        return Reply(token | {"expires_dt": "20991231235959"})
    if "GenerateOTP" in asked.path:
        return recorded("krx_index/otp.txt")
    return Reply("<html></html>") if asked.path.endswith(".jsp") else None


def vendor(
    case: Case, change: Callable[[Reply], Reply] = lambda reply: reply
) -> Callable[[Asked], Reply]:
    """A plain server that has the tokens and log-ins of every vendor, and one recorded answer."""
    entry = manifest()[case.sample]
    bld = (entry.get("form") or {}).get("bld")

    def is_meant(asked: Asked) -> bool:
        return (
            asked.path.removesuffix(".json") == path_of(entry)
            and asked.headers.get("api-id") == entry.get("api_id")
            and asked.fields.get("bld") == bld
        )

    def answer(asked: Asked) -> Reply:
        if greeting := greetings(asked):
            return greeting
        if not is_meant(asked):
            return (
                Reply({"output": []}) if "bld" in asked.fields else Reply("nothing recorded", 404)
            )
        if any(asked.fields.get(name) != value for name, value in case.only.items()):
            return Reply(case.otherwise)
        return change(recorded(case.sample))

    return answer


def environment(sample: str, base_url: str) -> dict[str, str]:
    """Settings that let one service work, and no other."""
    folder = sample.split("/", maxsplit=1)[0].upper()
    services = (
        ("KRX_OPEN",)
        if "open_holidays" in sample
        else ("KIS_MASTER",)
        if ".mst" in sample
        else (folder,)
    )
    named = {f"{service}_BASE_URL": base_url for service in services}
    rates = {f"{service}_REQUESTS_PER_MINUTE": "0" for service in services}
    keys = ("TOKEN", "APP_KEY", "APP_SECRET", "SECRET_KEY", "KEY")
    secrets = {f"{service}_{key}": f"secret of {base_url}" for service in services for key in keys}
    others = {
        "KIS_TOKEN_INTERVAL_SECONDS": "0",
        "HTTP_ATTEMPTS": "2",
        "ACCEPT_SHRUNK_LISTS": "true",
    }
    return named | rates | secrets | others


def load(
    database: Database, case: Case, change: Callable[[Reply], Reply] = lambda reply: reply
) -> Any:
    with replaying(vendor(case, change)) as replay:
        return database.loaders(
            "load",
            "--source",
            case.source,
            *case.asks,
            "--refresh",
            **environment(case.sample, replay.base_url),
        )


# --- what has to arrive ------------------------------------------------------------------------------------------------


def literal(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def records(case: Case, body: bytes) -> dict[str, list[dict[str, Any]]]:
    """Endpoint to the records that a sample has for it, numbers as the text of their literal."""
    parsed = json.loads(body, parse_int=str, parse_float=str) if case.tables else {}
    found = {}
    for name, endpoint in case.tables.items():
        rows = (
            parsed[name]
            if name
            else {k: v for k, v in parsed.items() if not k.startswith("return_")}
        )
        found[endpoint] = rows if isinstance(rows, list) else [rows]
    return found


def raw_rows(database: Database, table: RawTable) -> list[dict[str, Any]]:
    rows = database.rows(f'select to_jsonb(records) from raw."{table.name}" as records')
    return [row for (row,) in rows]  # type: ignore[misc]


def arrived(table: RawTable, record: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
    columns = {name: field.column for field in table.fields for name in field.vendor_fields}

    def value(row: Mapping[str, Any], name: str) -> Any:
        if name in columns:
            return row[columns[name]]
        return (row["_extra"] or {}).get(name)

    return any(
        all(value(row, name) == literal(wanted) for name, wanted in record.items()) for row in rows
    )


@dataclass(frozen=True)
class Loaded:
    """A real database that holds the samples of one source and nothing else, and what the loads of each said."""

    database: Database
    runs: Mapping[str, CompletedProcess[str]]


@pytest.fixture(scope="module")
def loaded(new_database: Callable[..., Database]) -> Callable[[str], Loaded]:
    @cache
    def of(source: str) -> Loaded:
        database = new_database()
        cases = [case for case in CASES if case.source == source]
        return Loaded(database, {case.sample: load(database, case) for case in cases})

    return of


RELATIONS = (
    "stocks", "ohlcv_daily", "market_cap_daily", "ohlcv_minute", "index_daily", "investor_trading", "etf_portfolios",
    "floating_shares", "foreign_ownership_daily", "corporate_actions", "int_calendar__disputed", "rejected_rows",
    "recent_attempts", "staging",
)  # fmt: skip


@pytest.fixture(scope="module")
def built(loaded: Callable[[str], Loaded]) -> Callable[[str], Database]:
    @cache
    def of(source: str) -> Database:
        database = loaded(source).database
        run = database.build(*RELATIONS)
        text = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout)
        failed = set(re.findall(r"\[ERROR\]: in (?:test|model|seed|unit_test) (\S+)", text))
        assert failed == EXPLAINED.get(source, set()), text
        assert failed or run.returncode == 0, text
        return database

    return of


EXPLAINED = {
    # answers that are refused are failed cells
    "infomax": {"no_failed_cells_recent_attempts_"},
    "krx": {"no_failed_cells_recent_attempts_"},
}
"""Checks that have to fail on samples, by source."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sample)
def test_every_field_of_a_sample_arrives(loaded: Callable[[str], Loaded], case: Case) -> None:
    source = loaded(case.source)
    run = source.runs[case.sample]
    if case.error:
        assert case.error in run.stderr
        assert "Traceback" not in run.stderr
        if case.sample.startswith("krx_index"):  # refused before it became rows: kept whole
            payloads = source.database.rows("select payload from raw.rejected_payloads")
            assert (recorded(case.sample).encoded(),) in payloads
            return
    assert "unknown field" not in run.stderr, run.stderr
    for endpoint, wanted in records(case, recorded(case.sample).encoded()).items():
        table = raw_tables()[case.source, endpoint]
        rows = raw_rows(source.database, table)
        for record in wanted:
            assert arrived(table, record, rows), (endpoint, record)
    if case.error:
        return
    assert "cell failed" not in run.stderr, run.stderr
    assert run.returncode == 0, run.stderr


MARTS: dict[str, list[tuple[str, list[tuple[Any, ...]]]]] = {
    # source: what is read from the marts, and what the samples say in won, shares and percent
    "infomax": [
        (
            "select open_price, high_price, low_price, close_price, base_price, volume, trading_value"
            " from marts.ohlcv_daily where stock_code = '005930' and time = '2021-01-04'",
            [(81000, 84400, 80200, 83000, 81000, 38655276, 3185356823460)],
        ),
        (
            "select time::text, open_price, close_price, base_price, volume from marts.ohlcv_daily"
            " where stock_code = '005930' and time in ('2018-05-03', '2018-05-04') order by 1",
            [
                ("2018-05-03", None, 2650000, 2650000, 0),
                ("2018-05-04", 53000, 51900, 53000, 39565391),
            ],
        ),
        (
            "select market_cap, shares_outstanding from marts.market_cap_daily"
            " where stock_code = '000660' and time = '2021-01-04'",
            [(91728297990000, 728002365)],
        ),
        (
            "select investor_type, net_buy_volume, buy_value, sell_value from marts.investor_trading order by 1",
            [
                ("FOREIGN", -1530649, 349796163000, 484525372000),
                ("INSTITUTION", -917824, 429003257000, 510729024000),
                ("OTHER", 85761, 29780824000, 22282200000),
                ("PENSION", -1518175, 573756967000, 707144742000),
                ("RETAIL", 3880887, 1495485262000, 1153141135000),
            ],
        ),
        (
            "select owned_shares, round(ownership_ratio, 2)::text, round(limit_ratio, 2)::text"
            " from marts.foreign_ownership_daily",
            [(3314891659, "55.53", "100.00")],
        ),
        (
            "select index_name, round(close, 2)::text, volume, trading_value, market_cap from marts.index_daily",
            [("KOSPI", "2663.34", 434187000, 13753057000000, 2094859102000000)],
        ),
        (
            "select stock_name, market, isin, delisting_date::text, is_active from marts.stocks"
            " where stock_code = '037730'",
            [("3R", "KOSDAQ", "KR7037730009", "2025-10-15", False)],
        ),
        ("select count(*) from marts.etf_portfolios", [(0,)]),
    ],
    "kis": [
        (
            "select to_char(time at time zone 'Asia/Seoul', 'HH24MI'), open_price, close_price, volume, trading_value"
            " from marts.ohlcv_minute where time >= '2026-09-29' order by time",
            # values are differences of the running total; after bars that were cut from the sample none can be told
            [
                ("0959", 271000, 271500, 11418, None),
                ("1000", 271500, 272000, 46062, 12516864000),
                ("1519", 272000, 272500, 60000, None),
                ("1530", 272500, 272500, 1500000, 408750000000),
            ],
        ),
        (
            "select investor_type, net_buy_volume, buy_volume, sell_volume, buy_value, sell_value"
            " from marts.investor_trading order by 1",
            [
                ("FOREIGN", -2029800, 2527511, 4557311, 180171000000, 324535000000),
                ("INSTITUTION", -458386, 618614, 1077000, 44081000000, 76682000000),
                ("OTHER", 915349, 975349, 60000, 69428000000, 4272000000),
                ("PENSION", -113436, 386564, 500000, 27299000000, 35600000000),
                ("RETAIL", 1686273, 6846215, 5159942, 487491000000, 367381000000),
            ],
        ),
        (
            "select component_code, round(weight, 4)::text, round(shares, 2)::text, valuation_krw::bigint"
            " from marts.etf_portfolios order by 1",
            [
                ("000660", "8.6900", "854.00", 160039600),
                ("005380", "2.7500", "213.00", 50694000),
                ("005930", "32.6500", "7184.00", 601300800),
            ],
        ),
        (
            "select stock_code, ex_date::text, kind, round(ratio, 2)::text from marts.corporate_actions order by 1",
            [
                ("005930", "2018-05-04", "SPLIT", "50.00"),
                ("247540", "2018-05-14", "BONUS", "1.00"),
            ],
        ),
        ("select date::text from intermediate.int_calendar__disputed", []),
    ],
    "kiwoom": [
        (
            "select floating_shares, total_shares from marts.floating_shares",
            [(4478015000, 5919638000)],
        ),
        (
            "select to_char(time at time zone 'Asia/Seoul', 'HH24MI'), open_price, low_price, close_price, volume, trading_value"
            " from marts.ohlcv_minute order by time",
            [("1319", 78900, 78800, 78900, 16084, None), ("1320", 78850, 78800, 78800, 7913, None)],
        ),
        (
            "select trade_date::text, close_price::int, trading_value::bigint from staging.stg_kiwoom__daily_chart order by 1",
            [("2025-09-05", 69500, 804642000000), ("2025-09-08", 70100, 648525000000)],
        ),
        (
            "select amount::bigint from staging.stg_kiwoom__investors"
            " where vendor_investor = 'frgnr_invsr' and amount < 0 order by 1",
            [(-61779000000,), (-30433000000,)],
        ),
    ],
    "krx": [
        (
            "select open_price, high_price, low_price, close_price, base_price, volume, trading_value"
            " from marts.ohlcv_daily where stock_code = '005930' and time = '2021-01-04'",
            [(81000, 84400, 80200, 83000, 81000, 38655276, 3185356823460)],
        ),
        (
            "select close_price, volume, trading_value from marts.ohlcv_daily where time = '2026-08-14'",
            [(4520, 74511, 334258460)],
        ),
        (
            "select round(close, 2)::text, volume, trading_value, market_cap from marts.index_daily",
            [("2663.34", 434186972, 13753057379762, 2094859102056597)],
        ),
        (
            "select component_code, round(weight, 4)::text, round(shares, 2)::text, valuation_krw::bigint"
            " from marts.etf_portfolios"
            " where etf_code = '152100' and component_code in ('005930', '000660') order by 1",
            [
                ("000660", "6.2800", "968.00", 136488000),
                ("005930", "31.7400", "8140.00", 690272000),
            ],
        ),
        (
            "select owned_shares, round(ownership_ratio, 2)::text from marts.foreign_ownership_daily where stock_code = '005930'",
            [(3314891659, "55.53")],
        ),
        (
            "select distinct delisting_date::text, delisting_reason from marts.stocks where delisting_reason is not null",
            [("2025-04-01", "감사의견 거절(감사범위 제한)")],
        ),
        (
            "select stock_code, isin, security_type from marts.stocks where stock_code in ('00104K', '900290') order by 1",
            [
                ("00104K", "KR700104K010", "PREFERRED_STOCK"),
                ("900290", "HK0000307485", "FOREIGN_STOCK"),
            ],
        ),
    ],
    "wics": [
        (
            "select distinct stock_code, floating_shares::bigint from staging.stg_wics__components order by 1",
            [("010950", 41655633), ("096770", 56403994)],
        ),
        (
            # the site does not tell how many shares are listed, and here nobody else does
            "select distinct stock_code, rule_id from quality.rejected_rows order by 1",
            [("010950", "LISTED_SHARES_UNKNOWN"), ("096770", "LISTED_SHARES_UNKNOWN")],
        ),
    ],
    "fnguide": [
        (
            "select floating_shares, total_shares, source from marts.floating_shares",
            [(4525915719, 5969782550, "fnguide")],
        )
    ],
}


@pytest.mark.parametrize("source", MARTS)
def test_marts_say_what_the_samples_say(built: Callable[[str], Database], source: str) -> None:
    database = built(source)
    said = {query: database.rows(query) for query, _ in MARTS[source]}
    assert said == dict(MARTS[source])


# --- as vendors vary ---------------------------------------------------------------------------------------------------


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A parsed answer with every single value changed."""
    if isinstance(value, dict):
        return {name: mapped(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    return change(value)


def as_text(value: Any) -> Any:
    return value if isinstance(value, bool) or value is None else str(value)


def as_number(value: Any) -> Any:
    """Texts that are whole numbers without leading zeros as JSON numbers."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[1-9][0-9]*", value) else value


def with_commas(value: Any) -> Any:
    return (
        f"{int(value):,}"
        if isinstance(value, str) and re.fullmatch(r"-?[1-9][0-9]{3,6}", value)
        else value
    )


def with_separators(value: Any) -> Any:
    found = re.fullmatch(r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])([0-3][0-9])", str(value))
    return "-".join(found.groups()) if found else value


def reversed_fields(value: Any) -> Any:
    if isinstance(value, list):
        return [reversed_fields(item) for item in value]
    if isinstance(value, dict):
        return {name: reversed_fields(value[name]) for name in reversed(value)}
    return value


def with_stranger(value: Any) -> Any:
    if isinstance(value, list):
        return [with_stranger(item) for item in value]
    if isinstance(value, dict):
        return {name: with_stranger(item) for name, item in value.items()} | {
            "a_new_field": "its value"
        }
    return value


VARIED: dict[str, Callable[[Any], Any]] = {
    "numbers as texts": lambda parsed: mapped(parsed, as_text),
    "texts as numbers": lambda parsed: mapped(parsed, as_number),
    "commas": lambda parsed: mapped(parsed, with_commas),
    "separators in dates": lambda parsed: mapped(parsed, with_separators),
    "another order, and a field that nobody knows": lambda parsed: with_stranger(
        reversed_fields(parsed)
    ),
}


def encoded_otherwise(reply: Reply) -> Reply:
    """With a byte order mark, compressed, and under the name of another type."""
    sent = gzip.compress(BYTE_ORDER_MARK + reply.encoded())
    headers = {**reply.headers, "Content-Type": "text/plain", "Content-Encoding": "gzip"}
    return Reply(sent, reply.status, headers)


BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OF_EACH_VENDOR = [
    next(case for case in CASES if case.sample == sample)
    for sample in (
        "infomax/stock_investor.json", "kis/minute_day.json", "kis/investor_daily.json", "kis/chk_holiday.json",
        "kiwoom/ka10081_daily.json", "krx_openapi/stk_bydd_trd.json", "krx_index/changes.json",
        "krx_portal/MDCSTAT01701_daily_one_split_raw.json", "wics/components_G10.json",
    )
]  # fmt: skip


@pytest.mark.parametrize("case", OF_EACH_VENDOR, ids=lambda case: case.sample)
def test_variations_arrive_too(new_database: Callable[..., Database], case: Case) -> None:
    database = new_database()
    changes: dict[str, Callable[[Reply], Reply]] = {"encoding": encoded_otherwise}
    for name, vary in VARIED.items():

        def changed(reply: Reply, vary: Callable[[Any], Any] = vary) -> Reply:
            return Reply(vary(json.loads(reply.encoded())), reply.status, reply.headers)

        changes[name] = changed
    for name, change in changes.items():
        run = load(database, case, change)
        assert run.returncode == 0, (name, run.stderr)
        assert "cell failed" not in run.stderr, (name, run.stderr)
        body = change(recorded(case.sample)).encoded()
        plain = gzip.decompress(body)[len(BYTE_ORDER_MARK) :] if name == "encoding" else body
        for endpoint, wanted in records(case, plain).items():
            table = raw_tables()[case.source, endpoint]
            rows = raw_rows(database, table)
            assert all(arrived(table, record, rows) for record in wanted), (name, endpoint)


def test_the_page_of_a_company_arrives_cell_by_cell(loaded: Callable[[str], Loaded]) -> None:
    rows = loaded("fnguide").database.rows(
        "select to_jsonb(pages)::text from raw.fnguide__svd_main as pages"
    )
    assert len(rows) == 1
    assert all(
        text in str(rows[0][0]) for text in ("5,969,782,550/ 822,886,700", "4,525,915,719 / 75.81")
    )
