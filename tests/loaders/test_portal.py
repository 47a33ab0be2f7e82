"""The exchange's data portal and public site when they misbehave: sessions, blocks, and answers that are none."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Database
from tests.replayed_portal import Form, ReplayedPortal, Reply, replayed_portal

DAY = ("load", "--source", "krx", "--dataset", "ohlcv_daily", "--from", "2021-01-22", "--to", "2021-01-22")  # fmt: skip
ROW = {
    "ISU_SRT_CD": "005930", "ISU_CD": "KR7005930003", "ISU_ABBRV": "삼성전자", "MKT_NM": "KOSPI", "SECT_TP_NM": "",
    "TDD_CLSPRC": "86,800", "FLUC_TP_CD": "2", "CMPPREVDD_PRC": "-1,300", "FLUC_RT": "-1.48", "TDD_OPNPRC": "89,000",
    "TDD_HGPRC": "89,700", "TDD_LWPRC": "86,800", "ACC_TRDVOL": "30,861,661", "ACC_TRDVAL": "2,723,541,112,900",
    "MKTCAP": "518,177,125,340,000", "LIST_SHRS": "5,969,782,550", "MKT_ID": "STK",
}  # fmt: skip


def body(*rows: dict[str, str], key: str = "OutBlock_1") -> bytes:
    answer = {key: list(rows), "CURRENT_DATETIME": "2026.01.25 PM 08:27:25"}
    return json.dumps(answer, ensure_ascii=False).encode()


def daily(market: str, day: str = "20210122") -> Form:
    return {"bld": "dbms/MDC/STAT/standard/MDCSTAT01501", "mktId": market, "trdDd": day}


@pytest.fixture
def portal() -> Iterator[ReplayedPortal]:
    with replayed_portal(members=True) as running:
        for market in ("STK", "KSQ", "KNX"):
            running.add(daily(market), body(ROW | {"MKT_ID": market}))
        yield running


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    return new_database()


def statuses(database: Database) -> dict[str, str]:
    return {
        str(scope): str(status)
        for scope, status in database.rows(
            "select scope, status from raw.fetch_cells where dataset = 'ohlcv_daily' order by ledger_id"
        )
    }


def test_a_log_in_opens_a_session_for_every_request(
    database: Database, portal: ReplayedPortal
) -> None:
    run = database.loaders(*DAY, "--strict", **portal.member)
    assert run.returncode == 0, run.stderr
    assert statuses(database) == dict.fromkeys(("KOSPI", "KOSDAQ", "KONEX"), "SUCCESS")
    assert len(portal.log_ins) == 1
    (form,) = portal.log_ins
    assert form == {
        "mbrNm": "", "telNo": "", "di": "", "certType": "", "mbrId": "trader-one", "pw": "correct-horse",
    }  # fmt: skip
    assert portal.headers["X-Requested-With"] == "XMLHttpRequest"
    assert portal.headers["Referer"].endswith("/contents/MDC/MDI/outerLoader/index.cmd")
    kept = database.rows("select fetches::text from raw.fetches as fetches")
    assert not any("correct-horse" in str(row) or "trader-one" in str(row) for row in kept)


def test_a_session_that_ends_within_a_run_is_opened_again(
    database: Database, portal: ReplayedPortal
) -> None:
    portal.requests_a_session = 1
    run = database.loaders(*DAY, "--strict", **portal.member)
    assert run.returncode == 0, run.stderr
    assert statuses(database) == dict.fromkeys(("KOSPI", "KOSDAQ", "KONEX"), "SUCCESS")
    assert len(portal.log_ins) == 3
    assert database.rows("select count(*) from raw.rejected_payloads") == [(0,)]
    assert database.rows("select count(*) from raw.fetches where error is not null") == [(0,)]


@pytest.mark.parametrize("status", [400, 404, 200])
def test_log_out_right_after_a_log_in_is_a_block(
    database: Database, portal: ReplayedPortal, status: int
) -> None:
    portal.replace = lambda form: (status, b"LOGOUT") if form["mktId"] == "KSQ" else None
    run = database.loaders(*DAY, **portal.member)
    assert "LOGOUT right after a log-in" in run.stderr
    assert "Traceback" not in run.stderr
    assert statuses(database) == {"KOSPI": "SUCCESS", "KOSDAQ": "FAILED"}
    assert len(portal.log_ins) == 2
    asked = len(portal.forms)
    again = database.loaders(*DAY, **portal.member)
    assert again.returncode == 1
    assert "left alone until" in again.stderr
    assert len(portal.forms) == asked, "a blocked host is not asked"
    assert len(portal.log_ins) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (403, b"Forbidden"),
        (200, "<html><body>비정상적인 접근이 감지되어 차단되었습니다</body></html>".encode()),
        (403, b"<html>Access Denied</html>"),
    ],
)
def test_a_block_leaves_the_host_alone_for_a_day(
    database: Database, portal: ReplayedPortal, answer: Reply
) -> None:
    portal.replace = lambda _form: answer
    run = database.loaders(*DAY, **portal.member)
    assert run.returncode == 1
    assert "left alone for a day" in run.stderr
    assert len(portal.forms) == 1
    assert database.rows("select count(*) from ops.host_blocks") == [(1,)]


@pytest.mark.parametrize(
    "page",
    [
        "<html><body>시스템 점검 중입니다. 팝업이 차단되어 있으면 해제하십시오</body></html>",
        "<html><script>// pop-up is blocked</script>maintenance; block of pop-ups</html>",
    ],
)
def test_a_page_that_speaks_of_pop_ups_is_no_block(
    database: Database, portal: ReplayedPortal, page: str
) -> None:
    portal.replace = lambda _form: (200, page.encode())
    run = database.loaders(*DAY, **portal.member)
    assert run.returncode == 1
    assert "the answer is a web page, not JSON" in run.stderr
    assert database.rows("select count(*) from ops.host_blocks") == [(0,)]


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["CD010"], "wants a new password"),
        (["CD002"], "refuses the log-in (CD002: 메시지); check KRX_ID and KRX_PASSWORD"),
        (["CD011", "CD011"], "refuses the log-in (CD011"),
    ],
)
def test_a_refused_log_in_says_what_to_do_and_is_not_tried_again(
    database: Database, portal: ReplayedPortal, verdicts: list[str], words: str
) -> None:
    tries = len(verdicts)
    portal.verdicts = verdicts
    run = database.loaders(*DAY, **portal.member)
    assert run.returncode == 1
    assert words in run.stderr
    assert "correct-horse" not in run.stderr
    assert "Traceback" not in run.stderr
    assert len(portal.log_ins) == tries
    assert portal.forms == []
    assert database.rows("select count(*) from ops.host_blocks") == [(0,)]


def test_a_second_log_in_takes_over_from_the_first(
    database: Database, portal: ReplayedPortal
) -> None:
    portal.verdicts = ["CD011"]
    run = database.loaders(*DAY, "--strict", **portal.member)
    assert run.returncode == 0, run.stderr
    assert [form.get("skipDup") for form in portal.log_ins] == [None, "Y"]


def test_a_portal_that_wants_a_log_in_stops_a_load_without_one(
    database: Database, portal: ReplayedPortal
) -> None:
    run = database.loaders(*DAY, **portal.environment)
    assert run.returncode == 1
    assert "wants a log-in" in run.stderr
    assert "set KRX_ID and KRX_PASSWORD" in run.stderr
    assert len(portal.forms) == 1
    assert database.rows("select count(*) from ops.host_blocks") == [(0,)]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "KRX_ID, KRX_PASSWORD is not set"),
        ({"KRX_PORTAL_BASE_URL": "https://data.krx.co.kr"}, "KRX_ID, KRX_PASSWORD is not set"),
        ({"KRX_ID": "a", "KRX_PASSWORD": "b"}, "off until KRX_PORTAL_BASE_URL is set"),
        ({"KRX_ID": "a", "KRX_PORTAL_BASE_URL": "http://127.0.0.1:1"}, "KRX_PASSWORD is not set"),
    ],
)
def test_the_portal_is_off_until_it_is_configured(
    database: Database, environment: dict[str, str], words: str
) -> None:
    run = database.loaders(*DAY, **environment)
    assert run.returncode == 1
    assert words in run.stderr


UNREADABLE = {
    "20210104": (b"<html><body>maintenance</body></html>", "web page, not JSON"),
    "20210105": (body(ROW)[:120], "not complete JSON"),
    "20210106": (body(ROW).decode().encode("euc-kr"), "not UTF-8"),
    "20210107": (
        body({name: value for name, value in ROW.items() if name != "TDD_CLSPRC"}),
        "required field TDD_CLSPRC is missing",
    ),
    "20210108": (b'{"CURRENT_DATETIME": "2026.01.25 PM 08:27:25"}', "has no list"),
    "20210111": (b'{"_error_code": "CD999"}', "has no list"),
    "20210112": (b"[]", "has no list"),
    "20210113": (b"null", "has no list"),
    "20210114": (b'{"output": [{"a": NaN}]}', "no JSON number"),
    "20210115": (b'{"output": ["x"]}', "not an object"),
    "20210118": (b"", "not complete JSON"),
}


def test_answers_that_cannot_be_read_are_kept_whole_and_stop_nothing(
    database: Database, portal: ReplayedPortal
) -> None:
    portal.add(daily("STK", "20210119"), body(ROW))
    portal.replace = lambda form: (
        (200, UNREADABLE[form["trdDd"]][0]) if form["trdDd"] in UNREADABLE else None
    )
    run = database.loaders(
        "load", "--source", "krx", "--dataset", "ohlcv_daily", "--scope", "KOSPI",
        "--from", "2021-01-04", "--to", "2021-01-19", **portal.member,
    )  # fmt: skip
    assert run.returncode == 0, "one day came"
    assert "Traceback" not in run.stderr
    assert database.rows("select count(*) from raw.krx__mdcstat01501") == [(1,)]
    rejected = {
        str(day): (payload, str(reason))
        for day, payload, reason in database.rows(
            "select fetches.request ->> 'trdDd', rejected.payload, rejected.reason"
            " from raw.rejected_payloads as rejected inner join raw.fetches as fetches using (fetch_id)"
        )
    }
    assert rejected.keys() == UNREADABLE.keys()
    for day, (payload, words) in UNREADABLE.items():
        assert rejected[day][0] == payload
        assert words in rejected[day][1]


def test_a_day_full_of_dashes_is_not_published(database: Database, portal: ReplayedPortal) -> None:
    told = ("ISU_SRT_CD", "ISU_CD", "ISU_ABBRV", "MKT_NM", "SECT_TP_NM", "LIST_SHRS", "MKT_ID")
    dashes = {name: value if name in told else "-" for name, value in ROW.items()}
    portal.add(daily("STK"), body(dashes | {"FLUC_TP_CD": "3"}))
    run = database.loaders(*DAY, "--scope", "KOSPI", **portal.member)
    assert run.returncode == 0, run.stderr
    assert statuses(database) == {"KOSPI": "NOT_PUBLISHED"}
    assert database.rows("select tdd_clsprc, list_shrs from raw.krx__mdcstat01501") == [
        ("-", "5,969,782,550")
    ]


@pytest.mark.parametrize(
    "dataset", ["etf_list", "security_codes", "delisted_stocks", "trading_calendar"]
)
def test_a_list_that_is_never_empty_is_asked_for_again(
    database: Database, portal: ReplayedPortal, dataset: str
) -> None:
    empty = {"block1": []} if dataset == "trading_calendar" else {"output": []}
    portal.replace = lambda _form: (200, json.dumps(empty).encode())
    command = ("load", "--source", "krx", "--dataset", dataset)
    run = database.loaders(*command, **portal.environment)
    assert run.returncode == 0, run.stderr
    assert database.rows("select distinct status from raw.fetch_cells") == [("NOT_PUBLISHED",)]
    before = database.rows("select count(*) from raw.fetches")
    database.loaders(*command, **portal.environment)
    assert database.rows("select count(*) from raw.fetches") > before


def delistings(count: int) -> bytes:
    row = {
        "ISU_CD": "000010", "ISU_NM": "이름", "MKT_NM": "KOSPI", "SECUGRP_NM": "주권", "KIND_STKCERT_TP_NM": "보통주",
        "LIST_DD": "1990/01/04", "DELIST_DD": "2004/01/05", "DELIST_RSN_DSC": "피흡수합병", "ARRANTRD_MKTACT_ENFORCE_DD": "",
        "ARRANTRD_END_DD": "", "IDX_IND_NM": "", "PARVAL": "5,000", "LIST_SHRS": "1,000", "TO_ISU_SRT_CD": "",
        "TO_ISU_ABBRV": "",
    }  # fmt: skip
    return body(*[row | {"ISU_CD": f"{n:05d}0"} for n in range(count)], key="output")


def test_two_years_without_a_delisting_where_there_were_some_take_nothing_back(
    database: Database, portal: ReplayedPortal
) -> None:
    portal.replace = lambda _form: (200, delistings(10))
    command = ("load", "--source", "krx", "--dataset", "delisted_stocks", "--refresh")
    assert database.loaders(*command, **portal.environment).returncode == 0
    portal.replace = lambda form: (200, delistings(0 if form["strtDd"] == "20031229" else 10))
    run = database.loaders(*command, **portal.environment)
    assert run.returncode == 1
    assert "its part 20031229 shrank from 10 to 0 records" in run.stderr
    assert database.rows(
        "select distinct status from raw.fetch_cells where attempt_id = (select max(attempt_id) from raw.fetch_cells)"
    ) == [("FAILED",)]


def finder(name: str, text: str) -> Form:
    return {"bld": f"dbms/comm/finder/{name}", "mktsel": "ALL", "searchText": text, "typeNo": "0"}


def one_stock(isin: str) -> Form:
    return {
        "bld": "dbms/MDC/STAT/standard/MDCSTAT01701", "isuCd": isin, "strtDd": "20210122", "endDd": "20210122",
        "adjStkPrc": "1",
    }  # fmt: skip


def bar(**changed: str) -> dict[str, str]:
    no = ("ISU_SRT_CD", "ISU_CD", "ISU_ABBRV", "MKT_NM", "SECT_TP_NM", "MKT_ID")
    return {"TRD_DD": "2021/01/22"} | {k: v for k, v in ROW.items() if k not in no} | changed


def test_a_code_without_an_isin_of_its_own_rule_is_looked_up(
    database: Database, portal: ReplayedPortal
) -> None:
    code = {"full_code": "KR7005931001", "short_code": "005935", "codeName": "삼성전자우"}
    market = {"marketCode": "STK", "marketName": "유가증권", "marketEngName": "KOSPI"}
    portal.add(finder("finder_stkisu", "005935"), body(code | market, key="block1"))
    portal.add(one_stock("KR7005931001"), body(bar(), key="output"))
    run = database.loaders(*DAY, "--scope", "005935", "--strict", **portal.member)
    assert run.returncode == 0, run.stderr
    assert statuses(database) == {"005935": "SUCCESS"}
    assert database.rows(
        "select request ->> 'stock_code' from raw.fetches where endpoint = 'mdcstat01701'"
    ) == [("005935",)]


def test_too_many_requests_end_the_asking(database: Database, portal: ReplayedPortal) -> None:
    portal.replace = lambda _form: (429, b"")
    run = database.loaders(
        "load", "--source", "krx", "--dataset", "ohlcv_daily", "--scope", "KOSPI",
        "--from", "2021-01-11", "--to", "2021-01-22", **portal.environment,
    )  # fmt: skip
    assert run.returncode == 1
    assert "lower KRX_PORTAL_REQUESTS_PER_MINUTE" in run.stderr
    assert len(portal.forms) == 3, "one question, as often as a question may be asked"
    assert database.rows("select count(*) from ops.host_blocks") == [(0,)]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (
            "2021년 01월 22일",
            "no trd_dd of the answer tells a day YYYYMMDD; one is '2021년 01월 22일'",
        ),
        ("21/01/22", "no trd_dd of the answer tells a day YYYYMMDD"),
        ("2020/01/22", "asked for 2021-01-22 to 2021-01-22, the answer holds 2020-01-22"),
    ],
)
@pytest.mark.parametrize("dataset", ["ohlcv_daily", "investor_trading"])
def test_days_that_are_not_the_days_asked_for_leave_no_day_empty(
    database: Database, portal: ReplayedPortal, dataset: str, label: str, words: str
) -> None:
    leaves = {f"TRDVAL{n}": "1,000" for n in range(1, 12)} | {"TRDVAL_TOT": "11,000"}
    row = bar(TRD_DD=label) if dataset == "ohlcv_daily" else {"TRD_DD": label, **leaves}
    portal.replace = lambda _form: (200, body(row, key="output"))
    run = database.loaders(
        "load", "--source", "krx", "--dataset", dataset, "--scope", "005930",
        "--from", "2021-01-22", "--to", "2021-01-22", **portal.environment,
    )  # fmt: skip
    assert run.returncode == 1
    assert words in run.stderr
    assert database.rows(
        f"select distinct status from raw.fetch_cells where dataset = '{dataset}'"
    ) == [("FAILED",)]


def test_a_code_that_nobody_knows_fails(database: Database, portal: ReplayedPortal) -> None:
    for name in ("finder_stkisu", "finder_listdelisu"):
        portal.add(finder(name, "123455"), body(key="block1"))
    run = database.loaders(*DAY, "--scope", "123455", **portal.member)
    assert run.returncode == 1
    assert "no finder of the data portal knows the code 123455" in run.stderr


def test_a_screen_that_does_not_exist_is_named(database: Database, portal: ReplayedPortal) -> None:
    run = database.loaders(
        "load", "--source", "krx", "--scope", "MDCSTAT99999?mktId=STK", **portal.member
    )
    assert run.returncode == 1
    assert "there is no screen mdcstat99999; choose one of" in run.stderr
    assert portal.forms == []


def test_investors_of_one_stock_take_four_calls_that_all_must_come(
    database: Database, portal: ReplayedPortal
) -> None:
    leaves = {f"TRDVAL{n}": "1,000" for n in range(1, 12)}
    row = {"TRD_DD": "2021/01/22", **leaves, "TRDVAL_TOT": "11,000"}
    lacking = {"askBid": "2", "trdVolVal": "1"}
    portal.replace = lambda form: (
        200,
        body(*([] if lacking.items() <= form.items() else [row]), key="output"),
    )
    run = database.loaders(
        "load", "--source", "krx", "--dataset", "investor_trading", "--scope", "005930",
        "--from", "2021-01-22", "--to", "2021-01-22", **portal.member,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert [(form["trdVolVal"], form["askBid"], form["detailView"]) for form in portal.forms] == [
        ("1", "1", "1"), ("1", "2", "1"), ("2", "1", "1"), ("2", "2", "1"),
    ]  # fmt: skip
    assert database.rows("select distinct status from raw.fetch_cells") == [("EMPTY",)]


@pytest.mark.parametrize(
    ("market", "silent", "status"),
    [("KOSPI", "3100", "PARTIAL"), ("KONEX", "3100", "SUCCESS"), ("KOSPI", "", "SUCCESS")],
)
def test_a_type_of_which_no_stock_comes_is_missing_and_not_idle(
    database: Database, portal: ReplayedPortal, market: str, silent: str, status: str
) -> None:
    amounts = ("ASK_TRDVOL", "BID_TRDVOL", "NETBID_TRDVOL", "ASK_TRDVAL", "BID_TRDVAL", "NETBID_TRDVAL")  # fmt: skip
    row = {"ISU_SRT_CD": "005930", "ISU_NM": "삼성전자"} | dict.fromkeys(amounts, "0")
    portal.replace = lambda form: (
        200,
        body(*([] if form["invstTpCd"] == silent else [row]), key="output"),
    )
    run = database.loaders(
        "load", "--source", "krx", "--dataset", "investor_trading", "--scope", market,
        "--from", "2021-01-22", "--to", "2021-01-22", **portal.environment,
    )  # fmt: skip
    assert ("invstTpCd 3100, while other types have some" in run.stderr) == (status == "PARTIAL")
    assert database.rows("select distinct status from raw.fetch_cells") == [(status,)]


def holidays(*days: str) -> bytes:
    rows = [
        {"calnd_dd": day, "dy_tp_cd": "목", "kr_dy_tp": "목요일", "holdy_nm": "휴일"}
        for day in days
    ]
    return json.dumps({"block1": rows}, ensure_ascii=False).encode()


CALENDAR = (
    "load", "--source", "krx", "--dataset", "trading_calendar", "--from", "2026-11-02", "--to", "2026-11-06",
)  # fmt: skip


def test_holidays_of_a_year_take_a_one_time_password_that_is_not_recorded(
    database: Database, portal: ReplayedPortal
) -> None:
    portal.add({"year": "2026"}, holidays("2026-01-01", "2026-12-31"))
    run = database.loaders(*CALENDAR, "--strict", **portal.environment)
    assert run.returncode == 0, run.stderr
    assert database.rows("select calnd_dd from raw.krx__mkd01100305_01 order by 1") == [
        ("2026-01-01",),
        ("2026-12-31",),
    ]
    assert database.rows("select request from raw.fetches") == [
        (
            {
                "search_bas_yy": "2026",
                "gridTp": "KRX",
                "pagePath": "/contents/MKD/01/0110/01100305/MKD01100305.jsp",
            },
        )
    ]


def test_the_public_site_that_blocks_is_left_alone(
    database: Database, portal: ReplayedPortal
) -> None:
    portal.replace = lambda _form: (403, b"")
    run = database.loaders(*CALENDAR, **portal.environment)
    assert run.returncode == 1
    assert "open.krx.co.kr has blocked this address" in run.stderr
    assert database.rows("select count(*) from ops.host_blocks") == [(1,)]
