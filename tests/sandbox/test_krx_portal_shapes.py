"""The simulator's data portal in the exchange's shapes: list, keys in order and text values, against recorded samples."""

import json
from typing import Any

import pytest
import requests

from sandbox.simulator.server import Simulator
from sandbox.simulator.vendors import krx_portal
from tests.conftest import ROOT

SAMPLES = ROOT.parent / "shared" / "vendors" / "samples" / "krx_portal"
DATA = "/comm/bldAttendant/getJsonData.cmd"
DAY = {"trdDd": "20261007"}
SPAN = {"strtDd": "20260424", "endDd": "20260430"}
SCREENS = [
    ("finder_stkisu", {"mktsel": "ALL", "searchText": "", "typeNo": "0"}, "finder_stkisu.json"),
    ("finder_listdelisu", {"mktsel": "ALL", "typeNo": "0"}, "finder_listdelisu.json"),
    ("MDCSTAT01501", {"mktId": "ALL"} | DAY, "MDCSTAT01501_daily_all.json"),
    ("MDCSTAT01501", {"mktId": "ALL", "trdDd": "20261003"}, "MDCSTAT01501_daily_all_holiday.json"),
    ("MDCSTAT01701", {"isuCd": "@990010"} | SPAN, "MDCSTAT01701_daily_one_split_raw.json"),
    ("MDCSTAT01901", {"mktId": "ALL"}, "MDCSTAT01901_issue_base.json"),
    (
        "MDCSTAT02303",
        {"isuCd": "@990020", "trdVolVal": "1", "askBid": "1"} | SPAN,
        "MDCSTAT02303_investor_daily_detail_vol_sell.json",
    ),
    (
        "MDCSTAT02401",
        {"mktId": "STK", "invstTpCd": "8000"} | SPAN,
        "MDCSTAT02401_investor_all_stocks_8000.json",
    ),
    ("MDCSTAT03701", {"mktId": "STK"} | DAY, "MDCSTAT03701_foreign_holdings.json"),
    ("MDCSTAT03901", {"mktId": "STK"} | DAY, "MDCSTAT03901_industry.json"),
    (
        "MDCSTAT00601",
        {"indIdx": "1", "indIdx2": "028"} | DAY,
        "MDCSTAT00601_index_constituents.json",
    ),
    ("MDCSTAT04601", {}, "MDCSTAT04601_etf_list.json"),
    ("MDCSTAT05001", {"isuCd": "@993010"} | DAY, "MDCSTAT05001_etf_pdf.json"),
    ("MDCSTAT05001", {"isuCd": "@9930A0"} | DAY, "MDCSTAT05001_etf_pdf_negative.json"),
    (
        "MDCSTAT23801",
        {"mktId": "ALL", "strtDd": "20260101", "endDd": "20261007"},
        "MDCSTAT23801_delisted.json",
    ),
]


@pytest.fixture(scope="module")
def member(simulator: Simulator) -> requests.Session:
    session = requests.Session()
    path = f"{simulator.base_url}{krx_portal.PREFIX}/contents/MDC/COMS/client/MDCCOMS001D1.cmd"
    form = {"mbrId": krx_portal.MEMBER, "pw": krx_portal.PASSWORD}
    assert session.post(path, data=form, timeout=10).json()["_error_code"] == "CD001"
    return session


def ask(simulator: Simulator, session: requests.Session, screen: str, form: dict[str, str]) -> Any:
    answer = session.post(
        f"{simulator.base_url}{krx_portal.PREFIX}{DATA}",
        data={"bld": f"dbms/MDC/STAT/standard/{screen}"} | form,
        timeout=30,
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer.json()


def isin(simulator: Simulator, member: requests.Session, code: str) -> str:
    stocks = ask(simulator, member, "MDCSTAT01901", {"mktId": "ALL"})["OutBlock_1"]
    funds = ask(simulator, member, "MDCSTAT04601", {})["output"]
    return next(row["ISU_CD"] for row in stocks + funds if row["ISU_SRT_CD"] == code)


@pytest.mark.parametrize(("screen", "form", "file"), SCREENS)
def test_an_answer_has_the_shape_of_the_recorded_one(
    simulator: Simulator, member: requests.Session, screen: str, form: dict[str, str], file: str
) -> None:
    if not SAMPLES.is_dir():
        pytest.skip("no ../shared/vendors/samples beside the project")
    form = {
        name: isin(simulator, member, value[1:]) if value.startswith("@") else value
        for name, value in form.items()
    }
    recorded = json.loads((SAMPLES / file).read_text(encoding="utf-8"))
    told = ask(simulator, member, screen, form)
    assert list(told) == list(recorded)
    (name,) = (key for key, value in recorded.items() if isinstance(value, list))
    assert told[name], "there are records"
    for row in told[name]:
        assert list(row) == list(recorded[name][0])
        assert all(isinstance(value, str) for value in row.values())


def test_without_a_session_the_portal_says_log_out(simulator: Simulator) -> None:
    answer = requests.post(
        f"{simulator.base_url}{krx_portal.PREFIX}{DATA}", data={"bld": "x"}, timeout=10
    )
    assert (answer.status_code, answer.text) == (400, "LOGOUT")


def test_two_answers_differ_in_their_clock(simulator: Simulator, member: requests.Session) -> None:
    first, second = (ask(simulator, member, "MDCSTAT04601", {}) for _ in range(2))
    assert first.pop("CURRENT_DATETIME") != second.pop("CURRENT_DATETIME")
    assert first == second
