"""Infomax where it misbehaves: cuts, halves, other codes, other days, renamed fields, foreign bytes, spent quotas."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from loaders.calendar import KST
from sandbox.simulator.server import Simulator, running_simulator
from tests.conftest import Database
from tests.replay import Asked, Reply, replaying

DAYS = ("--from", "2026-05-11", "--to", "2026-05-15")
# endpoint, dataset, scope, a field that the marts need, a field with a code
ENDPOINTS = (
    ("stock/foreign", "foreign_ownership_daily", "990010", "frn_ownership_vol"),
    ("etf/port", "etf_portfolios", "993010", "port_value"),
    ("index/hist", "index_daily", "KOSPI", "close_price"),
    ("index/code", "index_list", "", "kr_name"),
    ("index/constituents", "index_components", "KOSPI200", "isin"),
    ("stock/rank", "market_rank_check", "", "trading_volume"),
)
UNUSABLE = {
    "rename": "required field {field} is missing",
    "cp949": "not UTF-8",
    "truncate": "not complete JSON",
    "quota": "the daily quota is used up",
}


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database(sample=True)


@pytest.fixture
def faults(simulator: Simulator) -> Any:
    yield simulator
    simulator.clear_faults()


def load(
    database: Database, simulator: Simulator, dataset: str, scope: str = "", *more: str
) -> Any:
    named = ("--scope", scope) if scope else ()
    return database.loaders(
        *("load", "--source", "infomax", "--dataset", dataset, *named, *DAYS, "--refresh", *more),
        **simulator.environment,
    )


def newest(database: Database, dataset: str) -> list[tuple[object, ...]]:
    return database.rows(
        "select distinct status from raw.fetch_cells where attempt_id ="
        f" (select max(attempt_id) from raw.fetch_cells where dataset = '{dataset}') order by 1"
    )


@pytest.mark.parametrize(("endpoint", "dataset", "scope", "field"), ENDPOINTS)
def test_each_endpoint_answers_without_any_list_collected_before(
    database: Database, faults: Simulator, endpoint: str, dataset: str, scope: str, field: str
) -> None:
    run = load(database, faults, dataset, scope, "--strict")
    assert run.returncode == 0, run.stderr
    table = f"infomax__{endpoint.replace('/', '_')}"
    assert database.rows(f"select count(*) > 0 and bool_and({field} is not null) from raw.{table}") == [
        (True,)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "dataset", "scope", "field", "kind"),
    [
        (*endpoint, kind)
        for endpoint in ENDPOINTS
        for kind in UNUSABLE
        # numbers and ASCII codes are the same bytes in CP949
        if not (kind == "cp949" and endpoint[0] in ("stock/foreign", "index/hist"))
    ],
)
def test_an_answer_that_cannot_be_used_is_one_clear_line(
    database: Database, faults: Simulator, endpoint: str, dataset: str, scope: str, field: str, kind: str
) -> None:  # fmt: skip
    before = database.rows(f"select count(*) from raw.infomax__{endpoint.replace('/', '_')}")
    faults.plant_fault(path=endpoint, kind=kind, field=field, times=50)
    run = load(database, faults, dataset, scope)
    assert UNUSABLE[kind].format(field=field) in run.stderr
    assert "Traceback" not in run.stderr
    assert run.returncode == 1, "nothing came"
    assert before == database.rows(
        f"select count(*) from raw.infomax__{endpoint.replace('/', '_')}"
    )


def test_a_new_field_is_kept_beside_the_known_ones(database: Database, faults: Simulator) -> None:
    faults.plant_fault(path="etf/port", kind="extra")
    run = load(database, faults, "etf_portfolios", "993020")
    assert run.returncode == 0, run.stderr
    assert "unknown field kept in _extra" in run.stderr
    assert database.rows(
        "select count(*) > 0 from raw.infomax__etf_port where _extra -> 'surprise' ->> 'nested' = 'true'"
    ) == [(True,)]


@pytest.mark.parametrize(
    ("dataset", "scope", "words"),
    [
        ("foreign_ownership_daily", "990010", "may have been cut"),
        ("index_daily", "KOSPI", "may have been cut"),
        ("etf_portfolios", "993010", "may have been cut"),
        ("index_components", "KOSPI200", "may have been cut"),
        ("index_list", "", "may have been cut"),
    ],
)
def test_an_answer_as_long_as_the_cap_is_never_taken_for_the_whole(
    database: Database, simulator: Simulator, dataset: str, scope: str, words: str
) -> None:
    environment = simulator.environment | {"INFOMAX_ROW_CAP": "4"}
    named = ("--scope", scope) if scope else ()
    run = database.loaders(
        "load", "--source", "infomax", "--dataset", dataset, *named, *DAYS, "--refresh", **environment
    )  # fmt: skip
    assert run.returncode == 1
    assert words in run.stderr


def test_the_token_is_named_and_not_repeated(database: Database, simulator: Simulator) -> None:
    run = database.loaders(
        "load", "--source", "infomax", "--dataset", "index_daily", *DAYS, "--refresh",
        **simulator.environment | {"INFOMAX_TOKEN": "wrong-secret"},
    )  # fmt: skip
    assert run.returncode == 1
    assert "terminal screen 9000" in run.stderr
    assert "wrong-secret" not in run.stderr


@pytest.mark.parametrize("message", ["일별 사용량 제한 초과", {"errmsg": "일별 사용량 제한 초과"}])
def test_a_spent_quota_is_told_as_text_or_as_an_object(
    database: Database, faults: Simulator, message: object
) -> None:
    faults.plant_fault(
        path="index/hist", kind="answer", body={"success": False, "message": message}, times=9
    )
    run = load(database, faults, "index_daily")
    assert run.returncode == 1
    assert "the daily quota is used up (일별 사용량 제한 초과); run again tomorrow" in run.stderr
    asked = [path for path in faults.requests() if path.endswith("index/hist")]
    assert asked, "the source was asked"


@pytest.mark.parametrize("said", [{"message": None}, {"message": ""}, {}])
def test_an_error_without_a_message_shows_what_came(
    new_database: Callable[..., Database], said: dict[str, Any]
) -> None:
    body = {"success": False, **said, "status": "E-4711"}
    with replaying(lambda _asked: Reply(body)) as vendor:
        run = new_database().loaders(
            "load", "--source", "infomax", "--dataset", "index_list",
            INFOMAX_BASE_URL=vendor.base_url, INFOMAX_TOKEN="secret-token", INFOMAX_REQUESTS_PER_MINUTE="0",
        )  # fmt: skip
    assert run.returncode == 1
    assert "an error without a message" in run.stderr
    assert "E-4711" in run.stderr


def test_a_limit_a_minute_that_outlasts_all_attempts_stops_the_source(
    new_database: Callable[..., Database], faults: Simulator
) -> None:
    fresh = new_database(sample=True)
    faults.forget_requests()
    faults.plant_fault(path="index/hist", kind="access_limit", times=99)
    run = load(fresh, faults, "index_daily")
    assert run.returncode == 1
    assert "lower INFOMAX_REQUESTS_PER_MINUTE" in run.stderr
    asked = sum(count for path, count in faults.requests().items() if path.endswith("index/hist"))
    assert asked <= 6, "what two threads had under way, three attempts each"
    faults.clear_faults()
    faults.plant_fault(path="index/hist", kind="access_limit", times=2)
    assert load(fresh, faults, "index_daily", "", "--strict").returncode == 0, (
        "one that passes is waited for"
    )


def test_half_a_portfolio_is_kept_out(database: Database, faults: Simulator) -> None:
    faults.plant_fault(path="etf/port", kind="half")
    run = load(database, faults, "etf_portfolios", "993010")
    assert run.returncode == 1
    assert "components came; half a list is kept out" in run.stderr


@pytest.mark.parametrize("stated", [201, 201.0, "201", "1,201"])
def test_a_count_of_components_is_read_however_it_is_written(
    new_database: Callable[..., Database], stated: object
) -> None:
    row = {"date": 20260515, "isin": "KR7152100004", "code": "152100", "kr_name": "PLUS 200", "constituents": stated,
           "admin_number": 1, "etf_value": 1e9, "port_isin": "KR7005930003", "port_code": "005930",
           "port_name": "삼성전자", "port_value": 1e8, "port_volume": 100}  # fmt: skip
    envelope = {"success": True, "results": [row | {"port_code": f"00593{n}"} for n in range(5)]}
    with replaying(lambda _asked: Reply(envelope)) as vendor:
        run = new_database().loaders(
            "load", "--source", "infomax", "--dataset", "etf_portfolios", "--scope", "152100", *DAYS,
            INFOMAX_BASE_URL=vendor.base_url, INFOMAX_TOKEN="secret-token", INFOMAX_REQUESTS_PER_MINUTE="0",
        )  # fmt: skip
    count = str(stated).replace(",", "").removesuffix(".0")
    assert f"5 of {count} components came; half a list is kept out" in run.stderr


def test_half_a_list_of_members_is_not_believed(database: Database, faults: Simulator) -> None:
    assert load(database, faults, "index_components", "KOSPI200").returncode == 0
    faults.plant_fault(path="index/constituents", kind="half")
    run = load(database, faults, "index_components", "KOSPI200")
    assert run.returncode == 1
    assert "the list shrank from" in run.stderr


@pytest.mark.parametrize("others", [{}, {"date": 20260508}])
def test_half_a_day_told_twice_is_half_a_day(
    new_database: Callable[..., Database], others: dict[str, int]
) -> None:
    real = new_database()
    codes = [f"{number:05d}0" for number in range(10)]
    listed = {
        "market": "거래소(코스피)",
        "equity_type": "주식",
        "kr_name": "이름",
        "listed_date": 20010102,
    }
    prices = ("base_price", "open_price", "high_price", "low_price", "close_price", "change", "change_rate",
              "trading_volume", "trading_value", "listed_shares")  # fmt: skip

    def answer(asked: Asked) -> Reply:
        if asked.fields.get("type") == "ST":
            found = [listed | {"code": code, "isin": f"KR7{code}003"} for code in codes]
        elif asked.path.endswith("stock/info"):
            bar = listed | dict.fromkeys(prices, 1000) | {"date": 20260511}
            found = [bar | {"code": code, "isin": f"KR7{code}003"} for code in codes[:5]]
            found += [row | others for row in found]
        else:
            found = []
        return Reply({"success": True, "results": found})

    with replaying(answer) as vendor:
        environment = {"INFOMAX_BASE_URL": vendor.base_url, "INFOMAX_TOKEN": "secret-token"}
        environment["INFOMAX_REQUESTS_PER_MINUTE"] = "0"
        load_one = ("load", "--source", "infomax", "--dataset")
        assert real.loaders(*load_one, "stocks", **environment).returncode == 0
        run = real.loaders(
            *load_one, "ohlcv_daily", "--from", "2026-05-11", "--to", "2026-05-11", **environment
        )
    assert "only 5 of 10 listed names on 2026-05-11" in run.stderr
    assert newest(real, "ohlcv_daily") == [("PARTIAL",)]


def test_stocks_in_place_of_the_funds_that_were_asked_for_make_no_day_of_funds(
    new_database: Callable[..., Database],
) -> None:
    real = new_database()
    stocks = [f"{number:05d}0" for number in range(10)]
    funds = [f"0{number:03d}Y0" for number in range(10)]
    prices = ("base_price", "open_price", "high_price", "low_price", "close_price", "change", "change_rate",
              "trading_volume", "trading_value", "listed_shares")  # fmt: skip

    def answer(asked: Asked) -> Reply:
        names = {"ST": stocks, "EF": funds}.get(asked.fields.get("type", ""), [])
        bar = dict.fromkeys(prices, 1000) | {
            "date": 20260511,
            "kr_name": "이름",
            "market": "거래소(코스피)",
        }
        if asked.path.endswith("stock/info"):  # whatever codes were asked for
            names = stocks
        return Reply(
            {
                "success": True,
                "results": [
                    bar
                    | {
                        "code": code,
                        "isin": f"KR7{code}003",
                        "equity_type": "주식",
                        "listed_date": 20010102,
                    }
                    for code in names
                ],
            }
        )

    with replaying(answer) as vendor:
        environment = {"INFOMAX_BASE_URL": vendor.base_url, "INFOMAX_TOKEN": "secret-token"}
        environment["INFOMAX_REQUESTS_PER_MINUTE"] = "0"
        load_one = ("load", "--source", "infomax", "--dataset")
        assert real.loaders(*load_one, "stocks", **environment).returncode == 0
        run = real.loaders(
            *load_one, "ohlcv_daily", "--from", "2026-05-11", "--to", "2026-05-11", **environment
        )
    assert "only 0 of 10 listed names on 2026-05-11" in run.stderr
    assert real.rows(
        "select scope, status from raw.fetch_cells where dataset = 'ohlcv_daily' order by 1"
    ) == [("ALL", "SUCCESS"), ("ETF", "PARTIAL")]


def expired(*codes: str) -> Reply:
    row = {"market_type": "코스닥", "equity_type": "ST", "kr_name": "이름", "listed_date": 20010102}
    return Reply(
        {
            "success": True,
            "results": [
                row | {"code": code, "isin": f"KR7{code}003", "delisted_date": 20260105}
                for code in codes
            ],
        }
    )


def test_delistings_of_a_year_are_not_undone_by_half_a_list(
    new_database: Callable[..., Database],
) -> None:
    real = new_database()
    codes = [f"{number:05d}0" for number in range(10)]
    command = ("load", "--source", "infomax", "--dataset", "delisted_stocks", "--scope")
    year = str((datetime.now(KST) - timedelta(days=10)).year)
    with replaying(lambda _asked: expired(*codes)) as vendor:
        environment = {"INFOMAX_BASE_URL": vendor.base_url, "INFOMAX_TOKEN": "secret-token"}
        assert real.loaders(*command, year, **environment).returncode == 0
    with replaying(lambda _asked: expired(*codes[:5])) as vendor:
        environment["INFOMAX_BASE_URL"] = vendor.base_url
        run = real.loaders(*command, year, "--refresh", **environment)
    assert run.returncode == 1
    assert f"stock_expired {year}: the list shrank from 10 to 5 records" in run.stderr


def test_a_past_year_without_delistings_is_asked_for_on_a_second_day(
    new_database: Callable[..., Database],
) -> None:
    real = new_database()
    command = ("load", "--source", "infomax", "--dataset", "delisted_stocks")
    asked: list[int] = []
    with replaying(lambda _asked: expired()) as vendor:
        environment = {
            "INFOMAX_BASE_URL": vendor.base_url,
            "INFOMAX_TOKEN": "secret-token",
            "INFOMAX_REQUESTS_PER_MINUTE": "0",
        }
        for _ in range(3):
            before = len(vendor.asked)
            assert real.loaders(*command, **environment).returncode == 0
            asked.append(len(vendor.asked) - before)
            # as if what is there were of the day before
            real.execute("update raw.fetch_cells set collection_date = collection_date - 1")
    ((newest_year,),) = real.rows("select max(scope::integer) from raw.fetch_cells")
    years = int(str(newest_year)) - 1995 + 1
    assert asked == [years, years, 2], "then this year and the last one alone"


def test_a_type_without_names_is_no_mass_delisting(
    new_database: Callable[..., Database], faults: Simulator
) -> None:
    fresh = new_database(sample=True)
    assert load(fresh, faults, "stocks").returncode == 0
    faults.plant_fault(path="stock/code?type=EF", kind="empty", times=2)
    run = load(fresh, faults, "stocks")
    assert run.returncode == 1
    assert (
        "stock_code ALL: its part EF shrank from 3 to 0 records, which is not believed"
        in run.stderr
    )
    assert newest(fresh, "stocks") == [("FAILED",)]
    accepting = faults.environment | {"ACCEPT_SHRUNK_LISTS": "true"}
    run = fresh.loaders(
        "load", "--source", "infomax", "--dataset", "stocks", "--refresh", **accepting
    )
    assert run.returncode == 0, run.stderr
    assert newest(fresh, "stocks") == [("SUCCESS",)]


@pytest.mark.parametrize(
    ("endpoint", "dataset", "scope"),
    [
        ("stock/foreign", "foreign_ownership_daily", "990010"),
        ("etf/port", "etf_portfolios", "993010"),
        ("index/hist", "index_daily", "KOSPI"),
    ],
)
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("code", "5930", "leading zeros lost"), ("date", 20250102, "the answer holds")],
)
def test_an_answer_about_something_else_is_an_error(
    database: Database, faults: Simulator, endpoint: str, dataset: str, scope: str, field: str, value: object, words: str
) -> None:  # fmt: skip
    rows = {
        "stock/foreign": {"listed_shares": 1, "frn_ownership_vol": 1, "frn_ownership_ratio": 1, "frn_limit_ratio": 1},
        "etf/port": {"etf_value": 1, "port_isin": "", "port_code": "005930", "port_name": "", "port_value": 1,
                     "port_volume": 1},
        "index/hist": {"open_price": 1, "high_price": 1, "low_price": 1, "close_price": 1, "trading_volume": 1,
                       "trading_value": 1, "marketcap": 1},
    }  # fmt: skip
    vendor_code = "KGG01P" if scope == "KOSPI" else scope
    record = {"date": 20260515, "code": vendor_code} | rows[endpoint] | {field: value}
    faults.plant_fault(path=endpoint, kind="answer", body={"success": True, "results": [record]})
    run = load(database, faults, dataset, scope)
    assert run.returncode == 1
    assert words in run.stderr


def test_the_newest_day_may_be_late_and_an_older_one_is_empty(
    new_database: Callable[..., Database],
) -> None:
    database = new_database(sample=True)
    days = ("--from", "2026-10-06", "--to", "2026-10-08")
    with running_simulator() as vendor:
        for endpoint in ("stock/foreign", "index/hist", "etf/port"):
            vendor.plant_fault(path=endpoint, kind="empty", times=9)
        for dataset, scope in (
            ("foreign_ownership_daily", "990010"),
            ("index_daily", "KOSPI"),
            ("etf_portfolios", "993010"),
        ):
            run = database.loaders(
                "load", "--source", "infomax", "--dataset", dataset, "--scope", scope, *days, **vendor.environment
            )  # fmt: skip
            assert run.returncode == 0, run.stderr
    assert database.rows(
        "select dataset, collection_date::text, status from raw.fetch_cells order by 1, 2"
    ) == [
        ("etf_portfolios", "2026-10-08", "NOT_PUBLISHED"),
        # the ownership of 10-08 comes on the next session's morning: it is not asked for
        ("foreign_ownership_daily", "2026-10-06", "EMPTY"),
        ("foreign_ownership_daily", "2026-10-07", "NOT_PUBLISHED"),
        ("index_daily", "2026-10-06", "EMPTY"),
        ("index_daily", "2026-10-07", "EMPTY"),
        ("index_daily", "2026-10-08", "NOT_PUBLISHED"),
    ]


def test_prefixes_that_lose_a_name_are_an_error(new_database: Callable[..., Database]) -> None:
    database = new_database(sample=True)
    record = {"isin": "KR7005930003", "code": "A05930", "kr_name": "삼성전자", "market": "코스닥", "equity_type": "ST",
              "listed_date": 19750611}  # fmt: skip
    with running_simulator() as vendor:
        # the first answer is as long as the cap and shows a code that no prefix of two digits finds
        vendor.plant_fault(
            path="type=ST&code=", kind="answer", body={"success": True, "results": [record] * 60}
        )
        run = database.loaders(
            "load", "--source", "infomax", "--dataset", "stocks", INFOMAX_ROW_CAP="60", **vendor.environment
        )  # fmt: skip
    assert "come under no prefix, A05930 among them" in run.stderr


def test_a_vendor_that_ignores_the_prefix_is_not_asked_for_ever(
    new_database: Callable[..., Database],
) -> None:
    database = new_database(sample=True)
    record = {"isin": "KR7005930003", "code": "005930", "kr_name": "삼성전자", "market": "코스닥", "equity_type": "ST",
              "listed_date": 19750611}  # fmt: skip
    with running_simulator() as vendor:
        vendor.plant_fault(
            path="stock/code", kind="answer", body={"success": True, "results": [record] * 60}, times=10_000
        )  # fmt: skip
        run = database.loaders(
            "load", "--strict", "--source", "infomax", "--dataset", "stocks", INFOMAX_ROW_CAP="60", **vendor.environment
        )  # fmt: skip
        requests = sum(vendor.requests().values())
    assert run.returncode == 1
    assert "the vendor no longer filters by code" in run.stderr
    assert database.rows("select distinct status from raw.fetch_cells") == [("PARTIAL",)]
    assert requests < 200
