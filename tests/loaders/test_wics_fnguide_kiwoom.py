"""WICS, FnGuide and Kiwoom over real HTTP: whole sectors or nothing, pages that end, tokens that do not, and what is asked."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import count

import pytest
import requests

from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database
from tests.replay import Asked, Reply, replaying

DAY = ("--from", "2026-10-06", "--to", "2026-10-06")
WICS = ("load", "--source", "wics", *DAY)
NEWEST = "select status from raw.fetch_cells where source = '{}' order by ledger_id desc limit 1"


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database(sample=True)


@pytest.fixture
def vendors(simulator: Simulator) -> Simulator:
    """The module's simulator without planted faults and with its counts at zero."""
    simulator.clear_faults()
    requests.delete(f"{simulator.base_url}/_requests", timeout=10).raise_for_status()
    return simulator


def newest(database: Database, source: str) -> str:
    ((status,),) = database.rows(NEWEST.format(source))
    return str(status)


def asked(simulator: Simulator, path: str) -> int:
    return simulator.requests().get(path, 0)


LISTS = "/wics/Index/GetIndexComponets"
PAGE = "/fnguide/SVO2/asp/SVD_Main.asp"


# --- WICS


def test_a_week_of_wics_holds_every_name_once_a_level(
    database: Database, vendors: Simulator
) -> None:
    run = database.loaders(*WICS, "--strict", **vendors.environment)
    assert run.returncode == 0, run.stderr
    day = date(2026, 10, 6)
    wanted = {
        (stock.code, str(stock.float_shares_on(day)))
        for stock in market(SEED).listed(day)
        if stock.wics_on(day) and stock.float_shares_on(day)
    }
    came = database.rows(
        "select cmp_cd, apt_shr_cnt from raw.wics__get_index_componets where length(idx_cd) = 5"
    )
    assert len(came) == len(wanted)
    assert set(came) == wanted
    # one list a second-level sector, and one more for each first level that has an empty one below it
    assert 28 <= asked(vendors, LISTS) <= 38
    assert database.rows(
        "select distinct dataset, status from raw.fetch_cells where source = 'wics' order by 1"
    ) == [("floating_shares", "SUCCESS"), ("sectors", "SUCCESS")]


def test_the_week_is_not_asked_for_twice(database: Database, vendors: Simulator) -> None:
    database.loaders(*WICS, **vendors.environment)
    before = asked(vendors, LISTS)
    database.loaders(*WICS, **vendors.environment)
    assert asked(vendors, LISTS) == before


def test_a_day_without_lists_is_not_published_and_costs_two_requests(
    database: Database, vendors: Simulator
) -> None:
    run = database.loaders(
        "load", "--source", "wics", "--from", "2026-10-08", "--to", "2026-10-08", "--refresh",
        **vendors.environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert asked(vendors, LISTS) == 0, "the list of a session comes the next morning"
    vendors.plant_fault(path=LISTS, kind="empty", times=99)
    run = database.loaders(
        "load",
        "--source",
        "wics",
        "--from",
        "2026-09-30",
        "--to",
        "2026-09-30",
        **vendors.environment,
    )
    assert run.returncode == 0, run.stderr
    assert newest(database, "wics") == "NOT_PUBLISHED"
    assert asked(vendors, LISTS) == 2


@pytest.mark.parametrize(
    ("sector", "kind", "words"),
    [
        ("G4530", "empty", "G45 has 5 names that none of its second-level lists has"),
        ("G10", "empty", "G10 came without its second level"),
        ("G4530", "half", "the list has 2 of the 5 names that its header counts"),
        ("G3520", "html", "web page, not JSON"),
        ("G3520", "truncate", "not complete JSON"),
        ("G3520", "cp949", "perhaps CP949"),
        ("G2030", "500", "HTTP 500"),
    ],
)
def test_a_sector_that_fails_is_no_mass_exit(
    database: Database, vendors: Simulator, sector: str, kind: str, words: str
) -> None:
    database.loaders(*WICS, **vendors.environment)
    kept = database.rows("select count(*) from raw.wics__get_index_componets")
    # G10 is the first part of the first sector: its own list answers for it
    path = "sec_cd=G1010" if sector == "G10" else f"sec_cd={sector}"
    vendors.plant_fault(path=path, kind=kind, times=9 if kind == "500" else 1)
    run = database.loaders(*WICS, "--refresh", **vendors.environment)
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert newest(database, "wics") in ("PARTIAL", "FAILED")
    assert database.rows("select count(*) from raw.wics__get_index_componets") >= kept
    visible = database.rows(
        "select count(*) from raw.fetch_cells where source = 'wics' and status = 'SUCCESS'"
        " and attempt_id = (select max(attempt_id) from raw.fetch_cells where source = 'wics')"
    )
    assert visible == [(0,)], "nothing of the attempt may be seen"


def test_a_vanished_field_is_named(database: Database, vendors: Simulator) -> None:
    vendors.plant_fault(path="sec_cd=G1010", kind="rename", field="APT_SHR_CNT")
    run = database.loaders(*WICS, "--refresh", **vendors.environment)
    assert "required field APT_SHR_CNT is missing" in run.stderr


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        (LISTS, ("--source", "wics", *DAY)),
        (PAGE, ("--source", "fnguide", "--scope", "990010")),
    ],
)
def test_a_block_ends_the_asking_for_a_day(
    new_database: Callable[..., Database], vendors: Simulator, path: str, arguments: tuple[str, ...]
) -> None:
    blocked = new_database(sample=True)
    vendors.plant_fault(path=path, kind="block", times=99)
    run = blocked.loaders("load", *arguments, **vendors.environment)
    assert run.returncode == 1
    assert "the site has blocked us" in run.stderr
    assert asked(vendors, path) == 1
    vendors.clear_faults()
    again = blocked.loaders("load", *arguments, **vendors.environment)
    assert again.returncode == 1
    assert asked(vendors, path) == 1, "the host is left alone"


@pytest.mark.parametrize("source", ["wics", "fnguide"])
def test_a_crawled_site_is_off_until_its_address_is_set(
    new_database: Callable[..., Database], source: str
) -> None:
    run = new_database().loaders("load", "--source", source)
    assert run.returncode == 1
    assert f"set {source.upper()}_BASE_URL" in run.stderr


# --- FnGuide


def load_page(database: Database, simulator: Simulator, code: str = "990010") -> str:
    run = database.loaders(
        "load", "--source", "fnguide", "--scope", code, "--refresh", **simulator.environment
    )
    assert "Traceback" not in run.stderr
    return run.stderr


def test_a_page_is_read_without_any_list_of_stocks(
    new_database: Callable[..., Database], vendors: Simulator
) -> None:
    fresh = new_database(sample=True)
    load_page(fresh, vendors)
    stock = market(SEED).by_code("990010")
    assert stock
    shares, floating = stock.shares_on(date(2026, 10, 8)), stock.float_shares_on(date(2026, 10, 8))
    assert fresh.rows(
        "select price_date, fics, issued_shares, split_part(floating_shares, ' ', 1), par_value"
        " from raw.fnguide__svd_main"
    ) == [("2026/10/08", "반도체 및 관련장비", f"{shares:,}/ 0", f"{floating:,}", "100")]


def test_a_preferred_share_has_no_page(database: Database, vendors: Simulator) -> None:
    load_page(database, vendors, "99002K")
    assert newest(database, "fnguide") == "EMPTY"


def test_a_page_in_euc_kr_is_decoded_and_never_guessed(
    database: Database, vendors: Simulator
) -> None:
    vendors.plant_fault(path=PAGE, kind="cp949")
    load_page(database, vendors)
    assert newest(database, "fnguide") in ("SUCCESS", "UNCHANGED")
    assert database.rows(
        "select fics from raw.fnguide__svd_main order by _fetch_id desc limit 1"
    ) == [("반도체 및 관련장비",)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "truncate"}, "cut short"),
        ({"kind": "html"}, "may have changed its layout"),
        (
            {"kind": "answer", "body": "<html><h1 id='giName'>x</h1><h2>990010</h2></html>"},
            "layout",
        ),
        (
            {
                "kind": "answer",
                "body": "<html><div><h1 id='giName'>x</h1><h2>005930</h2></div></html>",
            },
            "that of 005930",
        ),
    ],
)
def test_a_page_that_is_not_the_page_is_kept_whole(
    database: Database, vendors: Simulator, fault: dict[str, str], words: str
) -> None:
    vendors.plant_fault(path=PAGE, **fault)
    assert words in load_page(database, vendors)
    assert newest(database, "fnguide") == "FAILED"
    assert words in str(
        database.rows("select reason from raw.rejected_payloads order by fetch_id desc limit 1")
    )


# --- Kiwoom


def kiwoom(
    database: Database, simulator: Simulator, dataset: str, *arguments: str, **environment: str
) -> str:
    run = database.loaders(
        "load", "--source", "kiwoom", "--dataset", dataset, "--refresh", *arguments,
        **simulator.environment | environment,
    )  # fmt: skip
    assert "Traceback" not in run.stderr
    return run.stderr


ONE = ("--scope", "990010", *DAY)


def test_a_token_is_asked_for_once_and_replaced_once_when_it_is_refused(
    new_database: Callable[..., Database], vendors: Simulator
) -> None:
    fresh = new_database(sample=True)
    kiwoom(fresh, vendors, "stocks")
    kiwoom(fresh, vendors, "ohlcv_daily", *ONE)
    assert asked(vendors, "/kiwoom/oauth2/token") == 1
    requests.post(f"{vendors.base_url}/kiwoom/_expire", timeout=10).raise_for_status()
    kiwoom(fresh, vendors, "ohlcv_daily", "--scope", "990020", *DAY)
    assert newest(fresh, "kiwoom") == "SUCCESS"
    assert asked(vendors, "/kiwoom/oauth2/token") == 2
    assert fresh.rows("select count(*) from raw.rejected_payloads") == [(0,)]


def test_wrong_keys_stop_the_source_and_are_repeated_nowhere(
    new_database: Callable[..., Database], vendors: Simulator
) -> None:
    fresh = new_database(sample=True)
    said = kiwoom(
        fresh, vendors, "stocks", KIWOOM_APP_KEY="wrong-app", KIWOOM_SECRET_KEY="wrong-secret"
    )
    assert "no token for these keys" in said
    assert "wrong-" not in said
    assert asked(vendors, "/kiwoom/ka10099") == 0
    assert not any(
        "wrong-" in str(row)
        for row in fresh.rows("select fetches::text from raw.fetches as fetches")
    )


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply({"return_code": 3, "return_msg": "인증에 실패했습니다[8050:지정단말기 인증에 실패했습니다]"}),
            "no token for these keys (return_code 3 인증에 실패했습니다[8050:지정단말기 인증에 실패했습니다])",
        ),
        (Reply({"return_code": 2, "return_msg": "not-said is no key"}, 400), "(return_code 2 *** is no key)"),
        (Reply("<html>시스템 점검 안내</html>", 503), "HTTP 503: no token but '<html>시스템 점검 안내</html>'"),
        (Reply("<html>시스템 점검 안내</html>"), "the vendor may be under maintenance"),
        (Reply({"token": "t", "expires_dt": ""}), "no token for these keys (return_code missing)"),
    ],
)  # fmt: skip
def test_why_there_is_no_token_is_told_in_the_vendors_words(
    new_database: Callable[..., Database], reply: Reply, words: str
) -> None:
    with replaying(lambda _asked: reply) as vendor:
        run = new_database().loaders(
            "load", "--source", "kiwoom", "--dataset", "stocks", KIWOOM_BASE_URL=vendor.base_url,
            KIWOOM_APP_KEY=vendor.account, KIWOOM_SECRET_KEY="not-said", KIWOOM_REQUESTS_PER_MINUTE="0",
        )  # fmt: skip
    assert run.returncode == 1
    assert words in run.stderr
    assert "not-said" not in run.stderr
    assert "Traceback" not in run.stderr


def test_a_rate_that_is_too_high_passes_when_retried(
    database: Database, vendors: Simulator
) -> None:
    busy = {"return_code": 5, "return_msg": "허용된 요청 개수를 초과하였습니다[1700]"}
    vendors.plant_fault(path="ka10081", kind="answer", status=429, body=busy)
    vendors.plant_fault(path="ka10081", kind="answer", body=busy)
    kiwoom(database, vendors, "ohlcv_daily", *ONE)
    assert newest(database, "kiwoom") in ("SUCCESS", "UNCHANGED")
    vendors.plant_fault(path="ka10081", kind="answer", body=busy, times=99)
    assert "lower KIWOOM_REQUESTS_PER_MINUTE" in kiwoom(database, vendors, "ohlcv_daily", *ONE)


def test_minutes_are_walked_back_until_the_day_is_passed(
    database: Database, vendors: Simulator
) -> None:
    kiwoom(
        database,
        vendors,
        "ohlcv_minute",
        "--scope",
        "990010",
        "--from",
        "2026-09-08",
        "--to",
        "2026-09-10",
    )
    stock = market(SEED).by_code("990010")
    assert stock
    for day in (date(2026, 9, 8), date(2026, 9, 9), date(2026, 9, 10)):
        ((count, volume),) = database.rows(
            "select count(*), sum(trde_qty::bigint) from raw.kiwoom__ka10080"
            f" where cntr_tm like '{day:%Y%m%d}%'"
        )
        assert (count, volume) == (
            len(market(SEED).minutes(stock, day)), stock.bars[day].volume
        ), day  # fmt: skip
    assert asked(vendors, "/kiwoom/ka10080") == 2, "900 rows a page"


def test_flows_take_six_calls_a_stock(database: Database, vendors: Simulator) -> None:
    kiwoom(database, vendors, "investor_trading", *ONE)
    assert newest(database, "kiwoom") in ("SUCCESS", "UNCHANGED")
    assert asked(vendors, "/kiwoom/ka10059") == 6


# --- pages that misbehave, told by a server of the test's own to a database for real data

ROW = {
    "cur_prc": "-70100", "trde_qty": "9263135", "trde_prica": "648525",
    "open_pric": "69800", "high_pric": "+70500", "low_pric": "69600",
}  # fmt: skip
TOKEN = Reply(
    {"expires_dt": "20991231235959", "token_type": "bearer", "token": "t", "return_code": 0}
)


REFUSED = Reply(
    {"return_code": 3, "return_msg": "인증에 실패했습니다[8005:Token이 유효하지 않습니다]"}
)


def load_replayed(
    database: Database, answers: Callable[[Asked], Reply], *options: str
) -> tuple[subprocess.CompletedProcess[str], list[Asked]]:
    """A load from a vendor that gives a token and these answers; how it ended, and what was asked."""
    with replaying(lambda asked: TOKEN if "token" in asked.path else answers(asked)) as vendor:
        run = database.loaders(
            "load", "--source", "kiwoom", *options,
            KIWOOM_BASE_URL=vendor.base_url, KIWOOM_APP_KEY=vendor.account, KIWOOM_SECRET_KEY="not-said",
            KIWOOM_REQUESTS_PER_MINUTE="0",
        )  # fmt: skip
        return run, vendor.asked


def page(day: str, headers: dict[str, str]) -> Reply:
    return Reply(
        {"stk_dt_pole_chart_qry": [ROW | {"dt": day}], "return_code": 0, "return_msg": ""},
        headers=headers,
    )


def ever_older(asked: Asked) -> Reply:
    number = int(asked.headers.get("next-key") or 0)
    day = date(2026, 10, 6) - timedelta(days=number)
    return page(day.strftime("%Y%m%d"), {"cont-yn": "Y", "next-key": str(number + 1)})


@pytest.mark.parametrize(
    ("pages", "first_day", "words", "requests_made"),
    [
        # each page is one day older: a walk over two thousand of them has no end
        (ever_older, "2020-01-02", "no end after 200 pages", 200),
        (ever_older, "2026-10-06", "", 1),
        (
            lambda asked: page(
                "20261005" if asked.headers["next-key"] else "20261006",
                {"cont-yn": "Y", "next-key": f"{asked.headers['next-key']}1"},
            ),
            "2026-10-01",
            "the same page came twice",
            3,
        ),
        # a vendor that knows one page only: it counts, and the days before it are asked for again
        (
            lambda asked: page(
                "20261006", {"cont-yn": "Y", "next-key": f"{asked.headers['next-key']}1"}
            ),
            "2026-10-01",
            "",
            2,
        ),
        (lambda _asked: page("20261006", {"cont-yn": "Y"}), "2026-10-01", "next one is missing", 1),
        (
            lambda asked: page(
                "20261006" if not asked.headers["next-key"] else "20261005",
                {"cont-yn": "Y", "next-key": "same"},
            ),
            "2026-10-01",
            "next one is an earlier one",
            2,
        ),
        (
            lambda asked: page(
                "20261005" if not asked.headers["next-key"] else "20261006",
                {"cont-yn": "Y", "next-key": f"{asked.headers['next-key']}1"},
            ),
            "2026-10-01",
            "goes forward in time",
            2,
        ),
        (lambda _asked: page("20261006", {"cont-yn": "N"}), "2026-10-05", "", 1),
    ],
)
def test_pages_end_or_are_an_error(
    new_database: Callable[..., Database],
    pages: Callable[[Asked], Reply],
    first_day: str,
    words: str,
    requests_made: int,
) -> None:
    real = new_database()
    run, requested = load_replayed(
        real, pages, "--dataset", "ohlcv_daily", "--scope", "005930",
        "--from", first_day, "--to", "2026-10-06",
    )  # fmt: skip
    assert "Traceback" not in run.stderr
    assert len([asked for asked in requested if "chart" in asked.path]) == requests_made
    ((visible,),) = real.rows("select count(*) from raw.fetch_cells where status = 'SUCCESS'")
    if words:
        assert words in run.stderr
        assert visible == 0
    else:
        assert run.returncode == 0, run.stderr
        assert visible


def test_one_older_row_at_the_end_of_a_page_of_days_does_not_end_the_walk(
    new_database: Callable[..., Database],
) -> None:
    real = new_database()
    pages = [["20261006", "20200102"], ["20261002", "20261001"]]

    def answer(asked: Asked) -> Reply:
        number = int(asked.headers.get("next-key") or 0)
        rows = [ROW | {"dt": day} for day in pages[number]]
        return Reply(
            {"stk_dt_pole_chart_qry": rows, "return_code": 0, "return_msg": ""},
            headers={"cont-yn": "N" if number else "Y", "next-key": str(number + 1)},
        )

    load_replayed(
        real, answer,
        "--dataset", "ohlcv_daily", "--scope", "005930", "--from", "2026-10-01", "--to", "2026-10-06",
    )  # fmt: skip
    cells = real.rows("select collection_date::text, status from raw.fetch_cells")
    assert dict(cells) == dict.fromkeys(("2026-10-01", "2026-10-02", "2026-10-06"), "SUCCESS")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 401])
def test_a_token_that_is_refused_again_stops_the_source(
    new_database: Callable[..., Database], status: int
) -> None:
    real = new_database()
    run, requested = load_replayed(
        real, lambda _asked: replace(REFUSED, status=status), "--dataset", "stocks"
    )
    assert run.returncode == 1
    assert "a new token is refused too" in run.stderr
    paths = [asked.path for asked in requested]
    assert paths.count("/oauth2/token") == 2
    assert paths.count("/api/dostk/stkinfo") == 2, "once with each token, and no list more"


@pytest.mark.parametrize("status", [200, 401])
def test_a_token_that_ends_in_mid_load_is_replaced_whatever_the_status(
    new_database: Callable[..., Database], status: int
) -> None:
    real = new_database()
    numbers = count(1)

    def answer(_asked: Asked) -> Reply:
        ends = next(numbers) == 1
        return replace(REFUSED, status=status) if ends else page("20261006", {"cont-yn": "N"})

    run, requested = load_replayed(
        real, answer,
        "--dataset", "ohlcv_daily", "--scope", "005930", "--from", "2026-10-06", "--to", "2026-10-06",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert newest(real, "kiwoom") == "SUCCESS"
    assert [asked.path for asked in requested].count("/oauth2/token") == 2


def test_a_refused_token_and_then_a_page_that_cannot_be_read_is_no_refused_key(
    new_database: Callable[..., Database],
) -> None:
    real = new_database()
    answers = iter([REFUSED])
    run, _ = load_replayed(
        real, lambda _asked: next(answers, Reply("<html>점검</html>")),
        "--dataset", "ohlcv_daily", "--scope", "005930", "--from", "2026-10-06", "--to", "2026-10-06",
    )  # fmt: skip
    assert "refused too" not in run.stderr
    ((error,),) = real.rows("select error from raw.fetch_cells")
    assert "web page, not JSON" in str(error)


@pytest.mark.parametrize("label", ["", "00000000000000", "132000", "20260928130000"])
def test_one_label_that_is_no_minute_of_the_day_ends_no_walk(
    new_database: Callable[..., Database], label: str
) -> None:
    real = new_database()

    def pages_of_minutes(asked: Asked) -> Reply:
        number = int(asked.headers.get("next-key") or 0)
        # the third page is of the day before
        day, hour = ("20260929", 13 - number) if number < 2 else ("20260928", 15)
        rows = [
            {
                "cur_prc": "-100", "trde_qty": "10", "cntr_tm": f"{day}{hour}{minute:02d}00",
                "open_pric": "-100", "high_pric": "-100", "low_pric": "-100", "acc_trde_qty": "0",
                "pred_pre": "0", "pred_pre_sig": "3",
            }
            for minute in range(59, -1, -1)
        ]  # fmt: skip
        if number == 0:
            rows[30]["cntr_tm"] = label
        return Reply(
            {
                "stk_cd": "005930",
                "stk_min_pole_chart_qry": rows,
                "return_code": 0,
                "return_msg": "",
            },
            headers={"cont-yn": "Y", "next-key": str(number + 1)},
        )

    run, _ = load_replayed(
        real, pages_of_minutes,
        "--dataset", "ohlcv_minute", "--scope", "005930", "--from", "2026-09-29", "--to", "2026-09-29",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert real.rows("select distinct status from raw.fetch_cells") == [("SUCCESS",)]
    assert real.rows("select count(*) from raw.kiwoom__ka10080 where cntr_tm like '20260929%'") == [
        (119,)
    ]
