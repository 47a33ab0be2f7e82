"""The exchange's index site when it misbehaves: half lists, other indexes, pages, blocks; nothing wrong is believed."""

from collections.abc import Callable, Iterator

import pytest

from sandbox.simulator.server import Simulator
from tests.conftest import Database
from tests.replayed_index_site import (
    ANSWERS,
    OTP,
    PASSWORD,
    SCREEN,
    ReplayedIndexSite,
    replayed_index_site,
)

DAY = ("--from", "2026-05-06", "--to", "2026-05-06")
MEMBERS = ("load", "--source", "krx", "--dataset", "index_components", "--scope", "KOSPI200", *DAY)
LOG = ("load", "--source", "krx", "--scope", "KOSPI200:CHANGES")
STATUS = "select status, error from raw.fetch_cells where scope like 'KOSPI200%' order by ledger_id desc limit 1"


@pytest.fixture(scope="module")
def sample(new_database: Callable[..., Database]) -> Database:
    return new_database(sample=True)


@pytest.fixture
def real(new_database: Callable[..., Database]) -> Database:
    return new_database()


@pytest.fixture
def site() -> Iterator[ReplayedIndexSite]:
    with replayed_index_site() as running:
        yield running


def listed(count: int, first: int = 100000) -> list[tuple[str, str]]:
    return [(f"{first + 10 * number:06d}", f"종목{number}") for number in range(count)]


def test_it_is_off_until_its_address_is_set(real: Database) -> None:
    run = real.loaders(*MEMBERS)
    assert run.returncode == 1
    assert "off until KRX_INDEX_BASE_URL is set" in run.stderr


def test_members_and_log_of_the_sample_market_come_in(
    sample: Database, simulator_without_portal: Simulator
) -> None:
    run = sample.loaders(
        "load",
        "--source",
        "krx",
        "--dataset",
        "index_components",
        *DAY,
        **simulator_without_portal.environment,
    )
    assert run.returncode == 0, run.stderr
    assert sample.rows(
        "select request ->> 'index_name', row_count from raw.fetches"
        " where endpoint = 'index_members' order by 1"
    ) == [("KOSDAQ150", 12), ("KOSPI200", 19)]
    assert sample.rows(
        "select request ->> 'fromdate', row_count from raw.fetches"
        " where endpoint = 'index_changes' and request ->> 'index_name' = 'KOSPI200'"
    ) == [("20000412", 3)]
    assert sample.rows("select count(*) from raw.krx__index_changes where excld_isu_cd = ''") == [
        (1,)
    ]


def test_the_form_is_the_sites_and_the_one_time_password_is_recorded_nowhere(
    real: Database, site: ReplayedIndexSite
) -> None:
    site.members["KOSPI200", "20260506"] = listed(200)
    run = real.loaders(*MEMBERS, **site.environment)
    assert run.returncode == 0, run.stderr
    assert site.forms == [
        {
            "ind_tp_cd": "1", "idx_ind_cd": "028", "idx_id": "K2G01P", "lang": "ko", "compst_isu_tp": "1",
            "schdate": "20260506", "fromdate": "20260506", "todate": "20260506",
            "pagePath": "/contents/MKD/03/0304/03040101/MKD03040101T3.jsp", "code": PASSWORD,
        }
    ]  # fmt: skip
    kept = real.rows("select fetches::text from raw.fetches as fetches")
    assert not any(PASSWORD in str(row) for row in kept)


def test_the_log_is_asked_for_whole_and_then_from_a_look_back(
    real: Database, site: ReplayedIndexSite
) -> None:
    event = {
        "appl_dd": "2025/12/29", "transschl_isu_cd": "KR7071970008", "transschl_isu_nm": "HD현대마린엔진",
        "excld_isu_cd": "KR7042670000", "excld_isu_nm": "HD현대인프라코어",
    }  # fmt: skip
    site.changes["KOSPI200"] = [event]
    assert real.loaders(*LOG, **site.environment).returncode == 0
    assert real.loaders(*LOG, "--refresh", **site.environment).returncode == 0
    first, second = site.forms
    assert first["fromdate"] == "20000412"
    assert "20000412" < second["fromdate"] < second["todate"]
    assert first["compst_isu_tp"] == "2"


@pytest.mark.parametrize("count", [100, 150, 300])
def test_a_list_of_another_length_than_the_index_has_is_not_believed(
    real: Database, site: ReplayedIndexSite, count: int
) -> None:
    site.members["KOSPI200", "20260506"] = listed(count)
    run = real.loaders(*MEMBERS, **site.environment)
    assert run.returncode == 1
    assert f"{count} members for KOSPI200, which has 200" in run.stderr
    assert real.rows("select count(*) from raw.krx__index_members") == [(0,)]
    assert real.rows("select length(payload) > 0 from raw.rejected_payloads") == [(True,)]


def test_201_members_are_believed(real: Database, site: ReplayedIndexSite) -> None:
    site.members["KOSPI200", "20260506"] = listed(201)
    assert real.loaders(*MEMBERS, **site.environment).returncode == 0
    assert real.rows("select count(*) from raw.krx__index_members") == [(201,)]


def test_half_a_list_of_the_sample_market_is_a_failed_cell(
    new_database: Callable[..., Database], simulator_without_portal: Simulator
) -> None:
    database = new_database(sample=True)
    assert database.loaders(*MEMBERS, **simulator_without_portal.environment).returncode == 0
    simulator_without_portal.plant_fault(path="members KOSPI200", kind="half")
    run = database.loaders(*MEMBERS, "--refresh", **simulator_without_portal.environment)
    assert run.returncode == 1
    assert "the list shrank from 19 to 9 records" in run.stderr, run.stderr


def test_half_a_list_is_held_against_the_one_before_it_in_the_same_run(
    new_database: Callable[..., Database], simulator_without_portal: Simulator
) -> None:
    database = new_database(sample=True)
    simulator_without_portal.plant_fault(path="members KOSPI200", kind="half", after=1)
    run = database.loaders(
        *MEMBERS[:-len(DAY)], "--from", "2026-05-06", "--to", "2026-05-08", "--strict",
        **simulator_without_portal.environment,
    )  # fmt: skip
    assert run.returncode == 1
    assert "the list shrank from 19 to 9 records" in run.stderr, run.stderr
    assert database.rows(
        "select collection_date::text, status from raw.fetch_cells where scope = 'KOSPI200' order by 1"
    ) == [("2026-05-06", "SUCCESS"), ("2026-05-07", "FAILED"), ("2026-05-08", "SUCCESS")]


def test_cp949_is_read(sample: Database, simulator_without_portal: Simulator) -> None:
    simulator_without_portal.plant_fault(path="members KOSPI200", kind="cp949")
    run = sample.loaders(*MEMBERS, "--refresh", **simulator_without_portal.environment)
    assert run.returncode == 0, run.stderr
    assert sample.rows(
        "select isu_nm from raw.krx__index_members where isu_cd = '990010' order by _fetch_id desc limit 1"
    ) == [("표본전자",)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"path": "members KOSPI200", "kind": "html"}, "web page, not JSON"),
        ({"path": "members KOSPI200", "kind": "truncate"}, "not complete JSON"),
        ({"path": "members KOSPI200", "kind": "rename", "field": "isu_cd"}, "field isu_cd is missing"),
        ({"path": "GenerateOTP", "kind": "html"}, "no one-time password came"),
        ({"path": "GenerateOTP", "kind": "500", "times": 9}, "the one-time password: HTTP 500"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_failed_cell(
    sample: Database, simulator_without_portal: Simulator, fault: dict[str, str], words: str
) -> None:
    before = sample.rows("select count(*) from raw.krx__index_members")
    simulator_without_portal.plant_fault(**fault)
    run = sample.loaders(*MEMBERS, "--refresh", **simulator_without_portal.environment)
    simulator_without_portal.clear_faults()
    assert run.returncode == 1
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert sample.rows("select count(*) from raw.krx__index_members") == before
    ((status, error),) = sample.rows(STATUS)
    assert status == "FAILED"
    assert words in str(error)


def test_a_side_that_was_renamed_is_not_taken_for_an_empty_one(
    sample: Database, simulator_without_portal: Simulator
) -> None:
    simulator_without_portal.plant_fault(
        path="changes KOSPI200", kind="rename", field="excld_isu_cd"
    )
    run = sample.loaders(*LOG, "--refresh", **simulator_without_portal.environment)
    assert run.returncode == 1
    assert "field excld_isu_cd is missing from every change" in run.stderr


def test_half_a_log_takes_no_change_back(
    new_database: Callable[..., Database], simulator_without_portal: Simulator
) -> None:
    database = new_database(sample=True)
    assert database.loaders(*LOG, **simulator_without_portal.environment).returncode == 0
    simulator_without_portal.plant_fault(path="changes KOSPI200", kind="half")
    run = database.loaders(*LOG, "--refresh", **simulator_without_portal.environment)
    assert run.returncode == 1
    assert "the change log shrank from 3 to 1 events" in run.stderr
    accepted = database.loaders(*LOG, "--refresh", **simulator_without_portal.environment)
    assert accepted.returncode == 0, accepted.stderr


def test_a_day_without_members_is_not_yet_published(
    real: Database, site: ReplayedIndexSite
) -> None:
    assert real.loaders(*MEMBERS, **site.environment).returncode == 0
    assert real.rows(STATUS) == [("NOT_PUBLISHED", None)]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b""),
        (200, "<html><body>비정상적인 접근이 감지되어 차단되었습니다</body></html>".encode()),
    ],
)
def test_a_block_stops_the_site_for_a_day(
    real: Database, site: ReplayedIndexSite, status: int, body: bytes
) -> None:
    site.replace = lambda _form: (status, body)
    days = ("load", "--source", "krx", "--dataset", "index_components", "--from", "2026-05-06", "--to", "2026-05-15")  # fmt: skip
    run = real.loaders(*days, **site.environment)
    assert run.returncode == 1
    assert "has blocked this address" in run.stderr
    assert site.counts == {SCREEN: 1, OTP: 1, ANSWERS: 1}
    again = real.loaders(*days, **site.environment)
    assert "left alone until" in again.stderr
    assert site.counts == {SCREEN: 1, OTP: 1, ANSWERS: 1}


def test_a_block_on_the_way_stops_it_too(
    new_database: Callable[..., Database], simulator_without_portal: Simulator
) -> None:
    database = new_database(sample=True)
    simulator_without_portal.plant_fault(path="GenerateOTP", kind="block")
    simulator_without_portal.forget_requests()
    days = ("load", "--source", "krx", "--dataset", "index_components", "--from", "2026-05-06", "--to", "2026-05-15")  # fmt: skip
    database.loaders(*days, **simulator_without_portal.environment)
    database.loaders(*days, **simulator_without_portal.environment)
    asked = {
        path: n
        for path, n in simulator_without_portal.requests().items()
        if path.startswith("/krx-index/")
    }
    assert sum(asked.values()) == 2, asked


def test_a_site_under_maintenance_is_not_asked_for_every_day(
    new_database: Callable[..., Database], simulator_without_portal: Simulator
) -> None:
    database = new_database(sample=True)
    simulator_without_portal.plant_fault(path="GenerateOTP", kind="html", times=99)
    simulator_without_portal.forget_requests()
    month = (*MEMBERS[:5], "--from", "2026-05-06", "--to", "2026-06-05")
    run = database.loaders(*month, **simulator_without_portal.environment)
    simulator_without_portal.clear_faults()
    assert run.returncode == 1
    assert "no one-time password came" in run.stderr
    asked = {
        path: n
        for path, n in simulator_without_portal.requests().items()
        if path.startswith("/krx-index/")
    }
    assert sum(asked.values()) == 6, "three times the screen and the password"
    # no block: the next run may ask again
    assert database.loaders(*month, **simulator_without_portal.environment).returncode == 0


def test_cookies_that_have_run_out_are_renewed(real: Database, site: ReplayedIndexSite) -> None:
    days = ("20260506", "20260507", "20260508")
    site.members = {("KOSPI200", day): listed(200) for day in days}
    site.replace = lambda form: (200, b"<html></html>") if form["schdate"] == days[1] else None
    run = real.loaders(*MEMBERS[:-1], "2026-05-08", **site.environment)
    assert run.returncode == 0, run.stderr
    assert site.counts[SCREEN] == 2
    assert real.rows(
        "select collection_date::text from raw.fetch_cells where status = 'SUCCESS' order by 1"
    ) == [("2026-05-06",), ("2026-05-08",)]
