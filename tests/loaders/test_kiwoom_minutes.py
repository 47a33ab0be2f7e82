"""Minute bars of Kiwoom whose running total of shares tells what is missing, from the answer to the mart."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count

import pytest

from loaders.contracts import raw_tables
from tests.conftest import Database
from tests.loaders.test_wics_fnguide_kiwoom import load_replayed
from tests.replay import Asked, Reply

DAY = "2026-09-29"
Row = dict[str, str]


def day_of(
    first_minute: str, count: int, *, before: int = 0, day: str = DAY, total: str | None = None
) -> list[Row]:
    """Bars of ten shares each, newest first; `before` shares were traded ahead of the first of them."""
    first = int(first_minute[:2]) * 60 + int(first_minute[2:])
    rows = [
        {
            "cur_prc": "-78800", "open_pric": "-78900", "high_pric": "-78900", "low_pric": "-78800", "trde_qty": "10",
            "cntr_tm": f"{day.replace('-', '')}{minute // 60:02d}{minute % 60:02d}00",
            "acc_trde_qty": str(before + 10 * number) if total is None else total,
            "pred_pre": "-600", "pred_pre_sig": "5",
        }
        for number, minute in enumerate(range(first, first + count), start=1)
    ]  # fmt: skip
    return rows[::-1]


def load(database: Database, code: str, rows: list[Row]) -> tuple[str, bool]:
    """Load the day of a stock from a vendor that has these rows in one page; its status, and whether bars are missed."""
    page = Reply(
        {"stk_cd": code, "stk_min_pole_chart_qry": rows, "return_code": 0, "return_msg": ""},
        headers={"cont-yn": "N"},
    )
    run, _ = load_replayed(
        database, lambda _asked: page,
        "--dataset", "ohlcv_minute", "--scope", code, "--from", DAY, "--to", DAY,
    )  # fmt: skip
    ((status,),) = database.rows(f"select status from raw.fetch_cells where scope = '{code}'")
    return str(status), "earlier bars are missing" in run.stderr


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database()


def test_a_walk_that_ends_before_the_days_first_bar_says_so(database: Database) -> None:
    assert load(database, "000010", day_of("1100", 60, before=5_000)) == ("SUCCESS", True)


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        # traded before the opening
        ("000020", day_of("0900", 60, before=5_000)),
        ("000030", day_of("1100", 60)),
        ("000040", day_of("1100", 60, total="")),
        ("000050", day_of("1100", 60, total="n/a")),
        # the day before shows that the day is whole, and is cut itself
        ("000060", day_of("1100", 60, before=5_000) + day_of("1500", 9, before=70, day="2026-09-28")),
    ],
)  # fmt: skip
def test_a_walk_to_the_days_first_bar_is_whole(
    database: Database, code: str, rows: list[Row]
) -> None:
    assert load(database, code, rows) == ("SUCCESS", False)


def load_pages(
    database: Database,
    code: str,
    pages: Sequence[list[Row]],
    first_day: str = DAY,
    empty: Sequence[int] = (),
) -> tuple[dict[str, str], int]:
    """Load a stock from a vendor that has these pages and promises the next one; how each day ended, and requests made.

    `empty` are the numbers of the requests, from 0 on, that are answered with nothing, as if there were no more.
    """
    requests = count()

    def answer(asked: Asked) -> Reply:
        number = int(asked.headers.get("next-key") or 0)
        is_empty = next(requests) in empty
        rows = [] if is_empty else pages[number]
        has_more = not is_empty and number + 1 < len(pages)
        return Reply(
            {"stk_min_pole_chart_qry": rows, "return_code": 0, "return_msg": ""},
            headers={"cont-yn": "Y" if has_more else "N", "next-key": str(number + 1)},
        )

    _, asked = load_replayed(
        database, answer,
        "--dataset", "ohlcv_minute", "--scope", code, "--from", first_day, "--to", DAY,
    )  # fmt: skip
    statuses = database.rows(
        f"select collection_date::text, status from raw.fetch_cells where scope = '{code}' order by ledger_id"
    )
    return dict(statuses), sum("chart" in one.path for one in asked)  # type: ignore[arg-type]


STRAY = day_of("1530", 1, day="2026-09-23")


def test_one_older_label_at_the_end_of_a_page_does_not_end_the_walk(database: Database) -> None:
    whole = day_of("0900", 300)
    pages = [whole[:200] + STRAY, whole[200:] + day_of("1500", 20, day="2026-09-28")]
    assert load_pages(database, "000080", pages) == ({DAY: "SUCCESS"}, 2)


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        ("000081", day_of("1100", 60, before=5_000) + STRAY),
        ("000082", day_of("1100", 30, before=5_300) + STRAY + day_of("1100", 30, before=5_000)),
    ],
)
def test_one_older_label_does_not_hide_that_bars_are_missing(
    database: Database, code: str, rows: list[Row]
) -> None:
    assert load(database, code, rows) == ("SUCCESS", True)


def test_an_empty_page_that_was_promised_is_asked_for_again(database: Database) -> None:
    whole = day_of("0900", 300)
    rest = whole[200:] + day_of("1500", 20, day="2026-09-28")
    assert load_pages(database, "000083", [whole[:200], rest], empty=[1]) == ({DAY: "SUCCESS"}, 3)


def test_days_before_a_page_that_was_promised_and_is_empty_are_asked_for_by_the_next_load(
    database: Database,
) -> None:
    pages = [day_of("0900", 300), day_of("0900", 300, day="2026-09-28")]
    days = {"2026-09-23": "NOT_PUBLISHED", "2026-09-28": "NOT_PUBLISHED", DAY: "SUCCESS"}
    assert load_pages(database, "000084", pages, "2026-09-23", empty=[1, 2]) == (days, 3)
    days = dict.fromkeys(days, "SUCCESS")
    pages += [day_of("0900", 300, day="2026-09-23")]
    assert load_pages(database, "000084", pages, "2026-09-23")[0] == days


@pytest.mark.parametrize("number", [1, 2])
def test_an_empty_page_that_promises_another_one_is_passed(database: Database, number: int) -> None:
    days = {day: day_of("0900", 300, day=day) for day in (DAY, "2026-09-28", "2026-09-23")}
    pages = list(days.values())
    pages.insert(number, [])
    code = f"00008{4 + number}"
    assert load_pages(database, code, pages, "2026-09-23") == (dict.fromkeys(days, "SUCCESS"), 4)


def test_a_stock_without_minutes_before_a_day_is_empty_there(database: Database) -> None:
    days = {"2026-09-28": "EMPTY", DAY: "SUCCESS"}
    assert load_pages(database, "000087", [day_of("0900", 300)], "2026-09-28") == (days, 1)


def of_one_page(dataset: str, record: Mapping[str, str | None]) -> Reply:
    name = {
        "ohlcv_minute": "stk_min_pole_chart_qry",
        "ohlcv_daily": "stk_dt_pole_chart_qry",
        "investor_trading": "stk_invsr_orgn",
    }[dataset]
    return Reply({name: [record], "return_code": 0, "return_msg": ""}, headers={"cont-yn": "N"})


def filled(dataset: str, value: str) -> Row:
    """A record with one value in all its fields."""
    api_id = {"ohlcv_minute": "ka10080", "ohlcv_daily": "ka10081", "investor_trading": "ka10059"}
    return dict.fromkeys(raw_tables()["kiwoom", api_id[dataset]].vendor_fields, value)


@pytest.mark.parametrize(
    ("code", "dataset", "label"),
    [
        ("000070", "ohlcv_minute", "260929135900"),
        # its first eight digits are a day of the year 2610
        ("000071", "ohlcv_minute", "261012135900"),
        ("000072", "ohlcv_minute", "135900"),
        ("000073", "ohlcv_minute", None),
        ("000074", "ohlcv_daily", "260929"),
        ("000075", "investor_trading", "260929"),
    ],
)
def test_days_that_cannot_be_read_fail_the_cell_and_are_no_day_without_data(
    database: Database, code: str, dataset: str, label: str | None
) -> None:
    field = "cntr_tm" if dataset == "ohlcv_minute" else "dt"
    answer = of_one_page(dataset, filled(dataset, "1") | {field: label})
    load_replayed(
        database, lambda _asked: answer,
        "--dataset", dataset, "--scope", code, "--from", DAY, "--to", DAY,
    )  # fmt: skip
    ((status, error),) = database.rows(
        f"select distinct status, error from raw.fetch_cells where scope = '{code}'"
    )
    assert status == "FAILED"
    assert f"no {field} of the answer tells a day YYYYMMDD; one is {label!r}" in str(error)


@pytest.mark.parametrize("dataset", ["ohlcv_minute", "ohlcv_daily"])
@pytest.mark.parametrize(("code", "is_bare"), [("000076", True), ("000077", False)])
def test_a_record_that_holds_nothing_is_no_day_that_cannot_be_read(
    database: Database, dataset: str, code: str, *, is_bare: bool
) -> None:
    answer = of_one_page(dataset, {} if is_bare else filled(dataset, ""))
    load_replayed(
        database, lambda _asked: answer,
        "--dataset", dataset, "--scope", code, "--from", DAY, "--to", DAY,
    )  # fmt: skip
    assert database.rows(
        f"select status from raw.fetch_cells where scope = '{code}' and dataset = '{dataset}'"
    ) == [("EMPTY",)]


@pytest.fixture(scope="module")
def built(new_database: Callable[..., Database]) -> Database:
    database = new_database()
    whole = day_of("0900", 300, before=400)
    days = {
        # of either half, at a glance
        "100010": whole,
        "100020": whole,
        # from 10:40 to 12:39, the 101st to the 220th minute
        "100030": whole[:80] + whole[200:],
        # three shares are in no bar: too few to say that one is missing
        "100040": [row | {"acc_trde_qty": str(int(row["acc_trde_qty"]) + 3)} for row in whole[:80]]
        + whole[80:],
        "100050": day_of("0900", 300, total="0"),
        "100060": day_of("0900", 300, total="n/a"),
        "100070": day_of("0900", 300, total=""),
    }
    # what was traded between two sessions is in no bar
    days["100080"] = day_of("1600", 1, before=13_400) + days["100040"]
    for code, rows in days.items():
        assert load(database, code, rows) == ("SUCCESS", False), code
    done = database.build("ohlcv_minute", "rejected_rows", "warned_rows")
    assert done.returncode == 0, done.stdout
    return database


def test_bars_that_are_missing_within_a_day_are_warned_of(built: Database) -> None:
    assert built.rows("select stock_code, item, rule_id from quality.warned_rows") == [
        ("100030", f"{DAY.replace('-', '')}124000", "RUNNING_TOTAL_GAP")
    ]
    assert built.rows("select count(*) from quality.rejected_rows") == [(0,)]


def test_what_came_is_published(built: Database) -> None:
    bars = dict.fromkeys(("100010", "100020", "100040", "100050", "100060", "100070"), 300)
    assert dict(
        built.rows("select stock_code, count(*) from marts.ohlcv_minute group by stock_code")
    ) == bars | {"100030": 180, "100080": 301}


def test_a_day_whose_total_is_exact_is_read_at_a_glance(built: Database) -> None:
    assert built.rows(
        "select stock_code from intermediate.int_minute_bars__plain_stock_days order by stock_code"
    ) == [("100010",), ("100020",), ("100050",), ("100070",)]


def test_days_that_come_in_one_walk_are_no_copies_of_each_other(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    bars = {DAY: 120, "2026-09-28": 90, "2026-09-23": 60}
    walk = [row for day, count in bars.items() for row in day_of("0900", count, day=day)]
    # of every second stock a bar of the first day tells another total, so that all rules look at it
    doubtful = [*walk[:-1], walk[-1] | {"acc_trde_qty": "11"}]
    codes = [f"1000{number}" for number in range(10, 22)]
    for code in codes:
        page = Reply(
            {
                "stk_cd": code, "stk_min_pole_chart_qry": doubtful if int(code) % 2 else walk,
                "return_code": 0, "return_msg": "",
            },
            headers={"cont-yn": "N"},
        )  # fmt: skip
        load_replayed(
            database, lambda _asked, page=page: page,
            "--dataset", "ohlcv_minute", "--scope", code, "--from", min(bars), "--to", max(bars),
        )  # fmt: skip
    done = database.build("ohlcv_minute", "gates", "held_days")
    assert done.returncode == 0, done.stdout
    assert database.rows("select * from quality.held_days") == []
    assert database.rows(
        "select (time at time zone 'Asia/Seoul')::date::text, count(*) from marts.ohlcv_minute group by 1 order by 1"
    ) == [(day, 12 * bars[day]) for day in sorted(bars)]


def test_a_code_that_has_lost_its_zeros_is_told(database: Database) -> None:
    run = database.loaders(
        "load", "--source", "kiwoom", "--scope", "5930", "--from", DAY, "--to", DAY,
        KIWOOM_BASE_URL="http://127.0.0.1:9", KIWOOM_APP_KEY="key", KIWOOM_SECRET_KEY="not-said",
    )  # fmt: skip
    assert run.returncode == 0
    assert "a stock code has six characters, 005930" in run.stderr
