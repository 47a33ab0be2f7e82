"""The simulated index site answers in the shape of the recorded one: keys in order, types, date and code forms."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.simulator.server import Simulator
from sandbox.simulator.vendors import krx_index
from tests.conftest import ROOT

SAMPLES = ROOT.parent / "shared" / "vendors" / "samples" / "krx_index"
INDEX = {"ind_tp_cd": "1", "idx_ind_cd": "028", "idx_id": "K2G01P", "lang": "ko", "pagePath": krx_index.SCREEN}  # fmt: skip


@pytest.fixture(scope="module")
def samples() -> Path:
    if not SAMPLES.is_dir():
        pytest.skip("no ../shared/vendors/samples beside the project: they are not part of it")
    return SAMPLES


@pytest.fixture
def browser(simulator: Simulator) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Referer"] = f"{simulator.base_url}{krx_index.PREFIX}{krx_index.SCREEN}"
        session.get(session.headers["Referer"], timeout=30).raise_for_status()
        yield session


def ask(browser: requests.Session, simulator: Simulator, kind: str, **asked: str) -> Any:
    base = f"{simulator.base_url}{krx_index.PREFIX}/contents"
    bld = {"bld": krx_index.BLDS[kind], "name": "form"}
    password = browser.get(f"{base}/COM/GenerateOTP.jspx", params=bld, timeout=30).text
    form = INDEX | asked | {"compst_isu_tp": kind, "code": password}
    return browser.post(f"{base}/IDX/99/IDX99000001.jspx", data=form, timeout=30)


def form_of(value: str) -> str:
    """The form of a text: 2025/12/29 becomes #/#/#, KR7071970008 becomes #."""
    return re.sub(r"[0-9A-Z]+", "#", value)


@pytest.mark.parametrize(
    ("file", "kind", "asked"),
    [
        ("constituents.json", "1", {"schdate": "20261007"}),
        ("changes.json", "2", {"fromdate": "20260101", "todate": "20261231"}),
    ],
)
def test_answers_have_the_recorded_shape(
    samples: Path,
    browser: requests.Session,
    simulator: Simulator,
    file: str,
    kind: str,
    asked: dict[str, str],
) -> None:
    recorded = json.loads((samples / file).read_text(encoding="utf-8"))
    answered = ask(browser, simulator, kind, **asked).json()
    assert list(answered) == list(recorded) == ["output"]
    pattern = recorded["output"][0]
    for record in answered["output"]:
        assert list(record) == list(pattern)
        assert all(isinstance(value, str) for value in record.values())
    codes = [name for name in pattern if name.endswith(("_cd", "_dd"))]
    whole = answered["output"][0] if kind == "1" else answered["output"][1]
    assert {name: form_of(whole[name]) for name in codes} == {
        name: form_of(pattern[name]) for name in codes
    }


def test_a_one_time_password_serves_once_and_for_its_list_alone(
    samples: Path, browser: requests.Session, simulator: Simulator
) -> None:
    base = f"{simulator.base_url}{krx_index.PREFIX}/contents"
    bld = {"bld": krx_index.BLDS["1"], "name": "form"}
    password = browser.get(f"{base}/COM/GenerateOTP.jspx", params=bld, timeout=30).text
    recorded = (samples / "otp.txt").read_text(encoding="utf-8").strip()
    assert len(password) == len(recorded)
    form = INDEX | {"compst_isu_tp": "1", "schdate": "20261007", "code": password}
    answers = f"{base}/IDX/99/IDX99000001.jspx"
    assert browser.post(answers, data=form, timeout=30).json()["output"]
    assert browser.post(answers, data=form, timeout=30).text.startswith("<html>")
    other = browser.get(f"{base}/COM/GenerateOTP.jspx", params=bld, timeout=30).text
    changes = form | {"compst_isu_tp": "2", "code": other}
    assert browser.post(answers, data=changes, timeout=30).text.startswith("<html>")
