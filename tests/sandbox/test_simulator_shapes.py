"""The simulator answers in the vendors' shapes: envelope, keys in order and JSON types, against recorded samples.

A new endpoint is one line in `ANSWERS`.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.simulator.server import Simulator
from sandbox.simulator.vendors import infomax, krx_open_api
from tests.conftest import ROOT

SAMPLES = ROOT.parent / "shared" / "vendors" / "samples"

VENDORS = {
    "infomax": ("/infomax/api/", {"Authorization": f"bearer {infomax.TOKEN}"}),
    "krx_openapi": ("/krx-openapi/svc/apis/sto/", {"AUTH_KEY": krx_open_api.KEY}),
}

DAY = "20261007"
RANGE = {"code": "990010", "startDate": "20260427", "endDate": "20260430"}
ANSWERS = [
    # vendor, path, parameters, sample file
    ("infomax", "stock/code", {"type": "ST"}, "stock_code.json"),
    ("infomax", "stock/expired", {"startDate": "20260101", "endDate": DAY}, "stock_expired.json"),
    ("infomax", "stock/hist", {"code": "990010,990020"}, "stock_hist.json"),
    ("infomax", "stock/hist", RANGE, "stock_hist_split_suspended_ohl_zero.json"),
    ("infomax", "stock/info", {"code": "990010,990020", "date": DAY}, "stock_info.json"),
    ("infomax", "stock/investor", {"code": "990010", "endDate": DAY}, "stock_investor.json"),
    ("infomax", "stock/hist", RANGE | {"code": "999999"}, "empty.json"),
    ("infomax", "stock/info", {}, "error_params.json"),
    ("krx_openapi", "stk_bydd_trd", {"basDd": DAY}, "stk_bydd_trd.json"),
    ("krx_openapi", "ksq_bydd_trd", {"basDd": DAY}, "stk_bydd_trd.json"),
    ("krx_openapi", "knx_bydd_trd", {"basDd": DAY}, "stk_bydd_trd.json"),
    ("krx_openapi", "../etp/etf_bydd_trd", {"basDd": DAY}, "etf_bydd_trd.json"),
    ("krx_openapi", "stk_isu_base_info", {"basDd": DAY}, "stk_isu_base_info.json"),
    ("krx_openapi", "ksq_isu_base_info", {"basDd": DAY}, "stk_isu_base_info.json"),
    ("krx_openapi", "knx_isu_base_info", {"basDd": DAY}, "stk_isu_base_info.json"),
    ("krx_openapi", "stk_bydd_trd", {"basDd": "20261009"}, "empty_holiday.json"),
]
FAULTS = [
    # what is planted, sample file
    ("quota", "error_quota.json"),
    ("access_limit", "error_access_limit.json"),
]
REFUSALS = [
    ("infomax", "stock/code", {"Authorization": "bearer wrong"}, 200, "error_access_denied.json"),
    ("krx_openapi", "stk_bydd_trd", {"AUTH_KEY": "wrong"}, 401, "error_401_key.json"),
    ("krx_openapi", "stk_no_such_api", VENDORS["krx_openapi"][1], 404, "error_404.json"),
]


@pytest.fixture(scope="module")
def samples() -> Path:
    if not SAMPLES.is_dir():
        pytest.skip(
            "no ../shared/vendors/samples beside the project: samples of vendors are not part of it"
        )
    return SAMPLES


def get(simulator: Simulator, vendor: str, path: str, **request: Any) -> requests.Response:
    prefix, headers = VENDORS[vendor]
    return requests.get(
        f"{simulator.base_url}{prefix}{path}", **{"headers": headers, "timeout": 30} | request
    )


def sample(samples: Path, vendor: str, file: str) -> Any:
    return json.loads((samples / vendor / file).read_text(encoding="utf-8"))


def json_type(value: Any) -> str:
    """What JavaScript calls it: 81000 and 2.47 are both numbers."""
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)


def records(payload: dict[str, Any]) -> list[dict[str, Any]]:
    (rows,) = (value for value in payload.values() if isinstance(value, list))
    return rows


@pytest.mark.parametrize(
    ("vendor", "path", "params", "file"), ANSWERS, ids=[f"{a[1]}-{a[3]}" for a in ANSWERS]
)
def test_an_answer_has_the_shape_of_the_sample(
    simulator: Simulator, samples: Path, vendor: str, path: str, params: dict[str, str], file: str
) -> None:
    response = get(simulator, vendor, path, params=params)
    assert response.status_code == 200
    ours, theirs = response.json(), sample(samples, vendor, file)
    # two keys in this order: users unpack the values
    assert list(ours) == list(theirs)
    assert {name: json_type(value) for name, value in ours.items()} == {
        name: json_type(value) for name, value in theirs.items()
    }
    if not any(isinstance(value, list) for value in theirs.values()):
        assert ours == theirs
        return
    assert bool(records(ours)) == bool(records(theirs))
    shapes = {
        tuple((name, json_type(value)) for name, value in record.items())
        for record in records(theirs)
    }
    for record in records(ours):
        assert tuple((name, json_type(value)) for name, value in record.items()) in shapes


@pytest.mark.parametrize(("kind", "file"), FAULTS)
def test_a_planted_error_is_the_vendors_own(
    simulator: Simulator, samples: Path, kind: str, file: str
) -> None:
    simulator.plant_fault(path="/infomax/", kind=kind, times=1)
    response = get(simulator, "infomax", "stock/code")
    ours, theirs = response.json(), sample(samples, "infomax", file)
    assert response.status_code == 200
    assert list(ours) == list(theirs)
    assert ours["success"] is False
    assert json_type(ours["message"]) == json_type(theirs["message"])


@pytest.mark.parametrize(("vendor", "path", "headers", "status", "file"), REFUSALS)
def test_a_refusal_is_the_vendors_own(
    simulator: Simulator, samples: Path, vendor: str, path: str, headers: dict[str, str], status: int, file: str
) -> None:  # fmt: skip
    response = get(simulator, vendor, path, headers=headers)
    assert response.status_code == status
    theirs = sample(samples, vendor, file)
    assert list(response.json()) == list(theirs)
    assert {n: json_type(v) for n, v in response.json().items()} == {
        n: json_type(v) for n, v in theirs.items()
    }


def test_investor_labels_of_answers_are_the_vendors(simulator: Simulator, samples: Path) -> None:
    ours = records(
        get(
            simulator, "infomax", "stock/investor", params={"code": "990010", "endDate": DAY}
        ).json()
    )
    theirs = records(sample(samples, "infomax", "stock_investor.json"))
    assert {row["investor"] for row in theirs} - {row["investor"] for row in ours} == set()


def test_newest_day_first(simulator: Simulator, samples: Path) -> None:
    def days(payload: dict[str, Any]) -> list[int]:
        return [record["date"] for record in records(payload)]

    file = "stock_hist_split_suspended_ohl_zero.json"
    theirs = days(sample(samples, "infomax", file))
    ours = days(get(simulator, "infomax", "stock/hist", params=RANGE).json())
    assert theirs == sorted(theirs, reverse=True)
    assert ours == sorted(ours, reverse=True)
    assert len(ours) > 1
