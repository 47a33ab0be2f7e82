"""Wrong commands and misbehaving vendors: one clear line, the right exit code, and what was loaded stays."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.simulator.server import Simulator, running_simulator
from tests.conftest import Database
from tests.replay import Reply, replaying
from tests.warehouse.test_revisions import bar

DAY = ("--source", "krx", "--dataset", "ohlcv_daily", "--from", "2026-05-06", "--to", "2026-05-06")


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database(sample=True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--source", "bloomberg"), 2, "unknown source 'bloomberg'"),
        (("--dataset", "tweets"), 2, "unknown dataset 'tweets'"),
        (("--from", "2026-05-06", "--to", "2026-05-01"), 2, "exchange them"),
        (("--from", "06/05/2026"), 2, "write YYYY-MM-DD"),
        (("--source", "krx"), 1, "KRX_OPENAPI_KEY is not set"),
    ],
)
def test_a_wrong_command_says_what_to_do(
    database: Database, arguments: tuple[str, ...], code: int, words: str
) -> None:
    run = database.loaders("load", *arguments)
    assert run.returncode == code
    assert words in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "setting",
    [
        {"KIS_CONCURRENCY": "many"},
        {"KIS_CONCURRENCY": "99"},
        {"KIS_MARKET_DIVISION": "SOR"},
        {"KRX_PORTAL_REQUESTS_PER_MINUTE": "slowly"},
        {"COLLECT_SINCE": "yesterday"},
        {"LOG_FORMAT": "xml"},
        {"PGPORT": "none"},
    ],
)
def test_a_setting_that_cannot_be_read_is_named(
    database: Database, setting: dict[str, str]
) -> None:
    run = database.loaders("load", **setting)
    ((name, value),) = setting.items()
    assert run.returncode == 2, "wrong use"
    assert f"{name}={value}" in run.stderr
    assert ".env" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_database_that_is_down_says_where_it_was_looked_for(database: Database) -> None:
    run = database.loaders("load", PGPORT="1")
    assert run.returncode == 1
    assert "cannot reach PostgreSQL at 127.0.0.1:1" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_token_stops_the_source_and_is_not_repeated_anywhere(
    database: Database, simulator_without_portal: Simulator
) -> None:
    run = database.loaders(
        *("load", *DAY),
        **simulator_without_portal.environment | {"KRX_OPENAPI_KEY": "wrong-secret"},
    )
    assert run.returncode == 1
    assert "the key is refused" in run.stderr
    assert "wrong-secret" not in run.stderr
    kept = database.rows("select fetches::text from raw.fetches as fetches")
    assert not any("wrong-secret" in str(row) for row in kept)


@pytest.mark.parametrize(
    ("body", "words", "answers"),
    [
        ({"respMsg": "Unauthorized Key", "respCode": "401"}, "the key is refused", 1),
        ({"respMsg": "Unauthorized API Call", "respCode": "401"}, "was not applied for", 1),
        ({"respMsg": "too many", "respCode": "429"}, "10,000 calls of the day are used up", 1),
        (
            {"respMsg": "내부 오류", "respCode": "500"},
            "the Open API says '내부 오류' (respCode 500)",
            5,
        ),
    ],
)
def test_an_error_of_the_open_api_inside_http_200_is_told_and_ends_what_it_ends(
    new_database: Callable[..., Database],
    simulator_without_portal: Simulator,
    body: dict[str, str],
    words: str,
    answers: int,
) -> None:
    fresh = new_database(sample=True)
    simulator_without_portal.plant_fault(path="stk_bydd_trd", kind="answer", body=body, times=5)
    run = fresh.loaders(
        "load", "--source", "krx", "--dataset", "ohlcv_daily", "--scope", "KOSPI",
        "--from", "2026-05-11", "--to", "2026-05-15", **simulator_without_portal.environment,
    )  # fmt: skip
    simulator_without_portal.clear_faults()
    assert run.returncode == 1
    assert words in run.stderr
    assert fresh.rows("select count(*) from raw.fetches") == [(answers,)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "html"}, "web page, not JSON"),
        ({"kind": "truncate"}, "not complete JSON"),
        ({"kind": "rename", "field": "TDD_CLSPRC"}, "required field TDD_CLSPRC is missing"),
    ],
)
def test_an_answer_that_cannot_be_read_is_kept_whole(
    database: Database, simulator_without_portal: Simulator, fault: dict[str, str], words: str
) -> None:
    before = database.rows("select count(*) from raw.krx__stk_bydd_trd")
    simulator_without_portal.plant_fault(path="stk_bydd_trd", times=1, **fault)
    run = database.loaders(
        "load", *DAY, "--scope", "KOSPI", "--refresh", **simulator_without_portal.environment
    )
    assert run.returncode == 1, "one cell was asked for and it failed"
    assert words in run.stderr
    newest = database.rows(
        "select reason, length(payload) from raw.rejected_payloads order by fetch_id desc limit 1"
    )
    assert words in str(newest[0][0])
    assert int(str(newest[0][1])) > 0
    assert database.rows("select count(*) from raw.krx__stk_bydd_trd") == before


@pytest.mark.parametrize("kind", ["429", "500"])
def test_a_hiccup_is_retried(
    database: Database, simulator_without_portal: Simulator, kind: str
) -> None:
    simulator_without_portal.plant_fault(path="stk_bydd_trd", kind=kind, times=1)
    run = database.loaders(
        "load",
        *DAY,
        "--scope",
        "KOSPI",
        "--refresh",
        "--strict",
        **simulator_without_portal.environment,
    )
    assert run.returncode == 0, run.stderr


def test_a_quota_inside_http_200_stops_infomax_alone(
    database: Database, simulator_without_portal: Simulator
) -> None:
    simulator_without_portal.plant_fault(path="/infomax/", kind="quota", times=1)
    run = database.loaders(
        "load",
        "--dataset",
        "stocks",
        "--from",
        "2026-10-07",
        **simulator_without_portal.environment,
    )
    assert run.returncode == 0, run.stderr
    assert "daily quota is used up" in run.stderr
    assert database.rows("select count(*) > 0 from raw.krx__stk_isu_base_info") == [(True,)]


def test_an_empty_answer_of_a_session_is_not_yet_published(
    database: Database, simulator_without_portal: Simulator
) -> None:
    simulator_without_portal.plant_fault(path="ksq_bydd_trd", kind="empty", times=1)
    run = database.loaders(
        "load", *DAY, "--scope", "KOSDAQ", **simulator_without_portal.environment
    )
    assert run.returncode == 0, run.stderr
    status = "select distinct status from raw.fetch_cells where scope = 'KOSDAQ' and collection_date = '2026-05-06'"
    assert database.rows(status) == [("NOT_PUBLISHED",)]
    database.loaders("load", *DAY, "--scope", "KOSDAQ", **simulator_without_portal.environment)
    assert ("SUCCESS",) in database.rows(status)


def test_commas_are_numbers_and_unknown_fields_are_kept(
    database: Database, simulator_without_portal: Simulator
) -> None:
    for kind in ("commas", "extra"):
        simulator_without_portal.plant_fault(path="knx_bydd_trd", kind=kind, times=1)
        run = database.loaders(
            "load", *DAY, "--scope", "KONEX", "--refresh", **simulator_without_portal.environment
        )
        assert run.returncode == 0, run.stderr
    assert "unknown field kept in _extra" in run.stderr
    assert database.rows(
        "select count(*) > 0 from raw.krx__knx_bydd_trd where _extra -> 'surprise' ->> 'nested' = 'true'"
    ) == [(True,)]
    assert database.rows(
        "select count(*) > 0 from raw.krx__knx_bydd_trd where tdd_clsprc like '%,%'"
    ) == [(True,)]


def test_the_same_payload_again_appends_nothing(
    database: Database, simulator_without_portal: Simulator
) -> None:
    arguments = ("load", *DAY, "--scope", "KOSPI", "--refresh")
    database.loaders(*arguments, **simulator_without_portal.environment)
    rows = database.rows("select count(*) from raw.krx__stk_bydd_trd")
    assert database.loaders(*arguments, **simulator_without_portal.environment).returncode == 0
    assert database.rows("select count(*) from raw.krx__stk_bydd_trd") == rows
    newest = (
        "select status, fetch_id < attempt_id from raw.fetch_cells order by ledger_id desc limit 1"
    )
    assert database.rows(newest) == [("UNCHANGED", True)]


def test_sample_answers_never_enter_a_real_database(
    new_database: Callable[..., Database], simulator_without_portal: Simulator
) -> None:
    real = new_database()
    run = real.loaders("load", *DAY, **simulator_without_portal.environment)
    assert run.returncode == 1
    assert "this database is for real data" in run.stderr
    assert real.rows("select count(*) from raw.krx__stk_bydd_trd") == [(0,)]


def test_real_files_never_enter_a_sample_database(database: Database) -> None:
    run = database.loaders(
        "load",
        "--source",
        "marcap",
        "--from",
        "2026-05-06",
        "--to",
        "2026-05-06",
        MARCAP_BASE_URL="tests",
    )
    assert run.returncode == 1
    assert "holds the sample market" in run.stderr


def test_a_vendor_itself_is_never_asked_for_a_sample_database(database: Database) -> None:
    run = database.loaders("load", "--source", "infomax", INFOMAX_TOKEN="none")
    assert run.returncode == 1
    assert "INFOMAX_BASE_URL is the vendor's own: `make load` starts the simulator" in run.stderr


def test_a_code_that_no_list_has_is_said_to_be_unknown(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    warning = "no list that was collected has this code; is it mistyped?"
    only = simulator.only("KRX_OPENAPI_", "KIS_").environment
    day = DAY[4:]
    bars = ("load", "--source", "kis", "--dataset", "ohlcv_daily", *day)
    # before there is any list nothing is known about a code
    assert warning not in database.loaders(*bars, "--scope", "999999", **only).stderr
    listed = database.loaders("load", "--source", "krx", "--dataset", "stocks", *day, **only)
    assert listed.returncode == 0, listed.stderr
    assert warning in database.loaders(*bars, "--scope", "999999", **only).stderr
    assert warning not in database.loaders(*bars, "--scope", "990010", **only).stderr


def test_a_folder_that_is_not_there_is_told_once_and_fails_no_cell(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    real = new_database()
    missing = tmp_path / "marcap"
    run = real.loaders(
        "load", "--source", "marcap", "--from", "2023-01-02", "--to", "2024-12-30",
        MARCAP_BASE_URL=str(missing),
    )  # fmt: skip
    assert run.returncode == 1
    assert f"MARCAP_BASE_URL={missing} is no folder" in run.stderr
    assert real.rows("select count(*) from raw.fetch_cells") == [(0,)]


@pytest.mark.parametrize("damage", ["within", "cut short", "web page"])
def test_a_damaged_file_fails_its_year_alone(
    new_database: Callable[..., Database], tmp_path: Path, damage: str
) -> None:
    real = new_database()
    for day in ("2023-01-02", "2024-01-02"):
        rows = pa.Table.from_pylist([bar("005930", day)] * 1000)
        pq.write_table(rows, tmp_path / f"marcap-{day[:4]}.parquet")
    file = tmp_path / "marcap-2023.parquet"
    whole = file.read_bytes()
    file.write_bytes(
        {
            "within": whole[:4] + b"\xff" * 200 + whole[204:],
            "cut short": whole[: len(whole) // 2],
            "web page": b"<html>503 Service Unavailable</html>",
        }[damage]
    )
    run = real.loaders(
        "load", "--source", "marcap", "--from", "2023-01-02", "--to", "2024-01-02",
        MARCAP_BASE_URL=str(tmp_path),
    )  # fmt: skip
    assert "marcap-2023.parquet cannot be read: it is no whole parquet file" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.returncode == 0, "the other year came"
    assert real.rows("select count(*), min(date)::text from raw.marcap__daily") == [
        (1000, "2024-01-02")
    ]
    assert real.rows("select payload from raw.rejected_payloads") == [(file.read_bytes(),)]


def test_a_list_cut_at_the_row_cap_is_asked_for_by_prefix(
    new_database: Callable[..., Database],
) -> None:
    whole = new_database(sample=True)
    with running_simulator(row_cap=20) as narrow:
        run = whole.loaders(
            "load",
            "--source",
            "infomax",
            "--dataset",
            "stocks",
            INFOMAX_ROW_CAP="20",
            **narrow.environment,
        )
    assert run.returncode == 0, run.stderr
    assert whole.rows("select count(distinct code) from raw.infomax__stock_code") == [(52,)]


@pytest.mark.parametrize(
    ("source", "path", "field"),
    [
        ("infomax", "stock/code", "code"),
        ("krx", "isu_base_info", "ISU_SRT_CD"),
        ("krx", "MDCSTAT01901", "ISU_SRT_CD"),
        ("kiwoom", "stkinfo", "code"),
    ],
)
def test_a_list_whose_codes_are_none_is_no_mass_delisting(
    new_database: Callable[..., Database],
    simulator: Simulator,
    source: str,
    path: str,
    field: str,
) -> None:
    fresh = new_database(sample=True)
    is_portal = path.startswith("MDC")
    environment = {
        name: value
        for name, value in simulator.environment.items()
        if not name.startswith("KRX_OPENAPI_" if is_portal else ("KRX_PORTAL_", "KRX_ID"))
    }
    command = ("load", "--source", source, "--dataset", "stocks", "--refresh")
    assert fresh.loaders(*command, **environment).returncode == 0
    simulator.plant_fault(path=path, kind="dash", field=field, times=99)
    run = fresh.loaders(*command, **environment)
    simulator.clear_faults()
    assert run.returncode == 1
    assert "codes of the list are no stock codes, '-' among them" in run.stderr
    assert fresh.rows(
        "select distinct status from raw.fetch_cells where attempt_id ="
        " (select max(attempt_id) from raw.fetch_cells)"
    ) == [("FAILED",)]


@pytest.mark.parametrize(
    ("path", "field", "scope"),
    [
        ("stk_bydd_trd", "ISU_CD", "KOSPI"),
        ("etf_bydd_trd", "ISU_CD", "ETF"),
        ("MDCSTAT01501", "ISU_SRT_CD", "KOSPI"),
        ("MDCSTAT04301", "ISU_SRT_CD", "ETF"),
    ],
)
def test_a_day_whose_codes_are_none_is_asked_for_again(
    new_database: Callable[..., Database], simulator: Simulator, path: str, field: str, scope: str
) -> None:
    fresh = new_database(sample=True)
    other = "KRX_OPENAPI_" if path.startswith("MDC") else ("KRX_PORTAL_", "KRX_ID")
    environment = {n: v for n, v in simulator.environment.items() if not n.startswith(other)}
    status = "select status from raw.fetch_cells where dataset = 'ohlcv_daily' order by attempt_id desc limit 1"
    simulator.plant_fault(path=path, kind="dash", field=field, times=99)
    run = fresh.loaders("load", *DAY, "--scope", scope, **environment)
    simulator.clear_faults()
    assert "are no stock codes, '-' among them" in run.stderr
    assert fresh.rows(status) == [("FAILED",)]
    fresh.loaders("load", *DAY, "--scope", scope, **environment)
    assert fresh.rows(status) == [("SUCCESS",)]


def test_a_code_that_is_none_costs_the_others_of_its_day_nothing(
    new_database: Callable[..., Database],
) -> None:
    figures = ("TDD_CLSPRC", "CMPPREVDD_PRC", "FLUC_RT", "TDD_OPNPRC", "TDD_HGPRC", "TDD_LWPRC", "ACC_TRDVOL", "ACC_TRDVAL",
               "MKTCAP", "LIST_SHRS", "NAV")  # fmt: skip
    fund = dict.fromkeys(figures, "1000") | {"BAS_DD": "20260506", "ISU_NM": "펀드"}
    answer = {"OutBlock_1": [fund | {"ISU_CD": code} for code in ("069500", "0043Y0", "1340")]}
    real = new_database()
    with replaying(lambda _asked: Reply(answer)) as vendor:
        run = real.loaders(
            *("load", *DAY, "--scope", "ETF", "--strict"),
            KRX_OPENAPI_BASE_URL=vendor.base_url, KRX_OPENAPI_KEY="secret-key", KRX_OPENAPI_REQUESTS_PER_MINUTE="0",
        )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert real.rows("select status from raw.fetch_cells where dataset = 'ohlcv_daily'") == [
        ("SUCCESS",)
    ]
