"""The brokers and WICS of the simulator answer in the vendors' shapes: keys and JSON types of every record, by the samples."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.simulator.server import Simulator
from sandbox.simulator.vendors import kis, kiwoom
from tests.conftest import ROOT

SAMPLES = ROOT.parent / "shared" / "vendors" / "samples"
DAY = "20261007"
CODE = "990010"
QUOTATIONS = "domestic-stock/v1/quotations"
STOCK = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": CODE}
DAYS = {"FID_INPUT_DATE_1": "20261001", "FID_INPUT_DATE_2": DAY, "FID_PERIOD_DIV_CODE": "D", "FID_ORG_ADJ_PRC": "1"}  # fmt: skip
EVENING = {"FID_INPUT_DATE_1": DAY, "FID_INPUT_HOUR_1": "200000"}
RECORDED = {"SHT_CD": "", "CTS": "", "F_DT": "20200101", "T_DT": "20261231"}

KIS = [
    # path, tr_id, parameters, sample
    (f"{QUOTATIONS}/inquire-daily-itemchartprice", "FHKST03010100", STOCK | DAYS, "daily_chart_official_example"),
    (f"{QUOTATIONS}/inquire-time-dailychartprice", "FHKST03010230", STOCK | EVENING, "minute_day"),
    (f"{QUOTATIONS}/investor-trade-by-stock-daily", "FHPTJ04160001", STOCK | {"FID_INPUT_DATE_1": DAY}, "investor_daily"),
    (f"{QUOTATIONS}/chk-holiday", "CTCA0903R", {"BASS_DT": "20261001", "CTX_AREA_NK": "", "CTX_AREA_FK": ""}, "chk_holiday"),
    (f"{QUOTATIONS}/search-stock-info", "CTPF1002R", {"PRDT_TYPE_CD": "300", "PDNO": CODE}, "search_stock_info"),
    ("domestic-stock/v1/ksdinfo/rev-split", "HHKDB669105C0", RECORDED | {"MARKET_GB": "0"}, "ksd_rev_split"),
    ("domestic-stock/v1/ksdinfo/bonus-issue", "HHKDB669101C0", RECORDED, "ksd_bonus_issue"),
]  # fmt: skip
KIWOOM = [
    # path, api-id, body, sample
    ("stkinfo", "ka10099", {"mrkt_tp": "0"}, "ka10099_list"),
    ("stkinfo", "ka10001", {"stk_cd": CODE}, "ka10001_basic"),
    ("stkinfo", "ka10059", {"dt": DAY, "stk_cd": CODE, "amt_qty_tp": "1", "trde_tp": "0", "unit_tp": "1"}, "ka10059_investor"),
    ("chart", "ka10080", {"stk_cd": CODE, "tic_scope": "1", "upd_stkpc_tp": "0"}, "ka10080_minute"),
    ("chart", "ka10081", {"stk_cd": CODE, "base_dt": DAY, "upd_stkpc_tp": "0"}, "ka10081_daily"),
]  # fmt: skip


@pytest.fixture(scope="module")
def samples() -> Path:
    if not SAMPLES.is_dir():
        pytest.skip("no ../shared/vendors/samples beside the project: they are not part of it")
    return SAMPLES


@cache
def kis_token(base_url: str) -> str:
    wanted = {
        "grant_type": "client_credentials",
        "appkey": kis.APP_KEY,
        "appsecret": kis.APP_SECRET,
    }
    answer = requests.post(f"{base_url}/oauth2/tokenP", json=wanted, timeout=30).json()
    return str(answer["access_token"])


@cache
def kiwoom_token(base_url: str) -> str:
    wanted = {
        "grant_type": "client_credentials",
        "appkey": kiwoom.APP_KEY,
        "secretkey": kiwoom.SECRET_KEY,
    }
    answer = requests.post(f"{base_url}/oauth2/token", json=wanted, timeout=30).json()
    return str(answer["token"])


def kind(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def shape(record: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(name, kind(value)) for name, value in record.items()}


DOCUMENTED = {("isin_name", "string")}
"""What the vendor's documents name and the samples do not have."""


def assert_same_shape(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Lists have the sample's records; single records have no field that the sample does not have, and may have fewer."""
    assert shape(ours) <= shape(theirs)
    assert {name for name in theirs if isinstance(theirs[name], list | dict)} <= set(ours)
    for name, value in theirs.items():
        if isinstance(value, dict):
            assert shape(ours[name]) <= shape(value), name
        elif isinstance(value, list) and value:
            assert ours[name], f"{name} is empty"
            for record in ours[name]:
                assert shape(record) - DOCUMENTED == shape(value[0]), name


def sample(samples: Path, file: str) -> Any:
    return json.loads((samples / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("path", "tr_id", "params", "file"), KIS, ids=[case[3] for case in KIS])
def test_kis(
    simulator: Simulator, samples: Path, path: str, tr_id: str, params: dict[str, str], file: str
) -> None:
    base_url = simulator.environment["KIS_BASE_URL"]
    headers = {
        "authorization": f"Bearer {kis_token(base_url)}",
        "appkey": kis.APP_KEY,
        "appsecret": kis.APP_SECRET,
        "tr_id": tr_id,
        "custtype": "P",
    }
    response = requests.get(f"{base_url}/uapi/{path}", params=params, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    assert_same_shape(response.json(), sample(samples, f"kis/{file}.json"))


@pytest.mark.parametrize(
    ("path", "api_id", "body", "file"), KIWOOM, ids=[case[3] for case in KIWOOM]
)
def test_kiwoom(
    simulator: Simulator, samples: Path, path: str, api_id: str, body: dict[str, str], file: str
) -> None:
    base_url = simulator.environment["KIWOOM_BASE_URL"]
    headers = {"authorization": f"Bearer {kiwoom_token(base_url)}", "api-id": api_id}
    response = requests.post(f"{base_url}/api/dostk/{path}", json=body, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    assert_same_shape(response.json(), sample(samples, f"kiwoom/{file}.json"))


def test_wics(simulator: Simulator, samples: Path) -> None:
    response = requests.get(
        f"{simulator.environment['WICS_BASE_URL']}/Index/GetIndexComponets",
        params={"ceil_yn": "0", "dt": DAY, "sec_cd": "G45"},
        timeout=60,
    )
    assert_same_shape(response.json(), sample(samples, "wics/components_G10.json"))
