"""Minute bars of a broker from recorded answers to the mart, in a real database that knows nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from loaders.contracts import raw_tables
from tests.conftest import Database
from tests.replay import Asked, Replay, Reply, replaying

DAY = "2026-09-29"
TOKEN = {
    "access_token": "recorded",
    "access_token_token_expired": "2026-10-06 08:00:00",
    "token_type": "Bearer",
    "expires_in": 86400,
}
Row = dict[str, str]


def bar(
    label: str, ohlc: tuple[int, int, int, int], volume: int, total: int | None, day: str = ""
) -> Row:
    opened, high, low, closed = ohlc
    row = {
        "stck_bsop_date": day or DAY.replace("-", ""),
        "stck_cntg_hour": label,
        "stck_prpr": str(closed),
        "stck_oprc": str(opened),
        "stck_hgpr": str(high),
        "stck_lwpr": str(low),
        "cntg_vol": str(volume),
    }
    return row if total is None else row | {"acml_tr_pbmn": str(total)}


def envelope(rows: Sequence[Mapping[str, str | None]]) -> dict[str, Any]:
    return {
        "output1": {},
        "output2": rows,
        "rt_cd": "0",
        "msg_cd": "MCA00000",
        "msg1": "정상처리 되었습니다.",
    }


def whole_day(
    minutes: int = 300, price: int = 271000, *, begins_at: str = "0900", off_hours_value: int = 0
) -> list[Row]:
    """Bars from a minute on, oldest first, whose running total is exact: each trades ten shares at one price."""
    rows, total = [], off_hours_value
    first = int(begins_at[:2]) * 60 + int(begins_at[2:])
    for n in range(first, first + minutes):
        label = f"{n // 60:02d}{n % 60:02d}00"
        traded = price + 500 * ((n - first) % 3)
        total += 10 * traded
        rows.append(bar(label, (traded, traded, traded, traded), 10, total))
    return rows


@dataclass
class Vendor:
    """Answers pages of bars, newest first; `spoil` may change the answer of a page by its number."""

    rows: list[Row]
    page_size: int = 120
    ignores_hour: bool = False
    spoil: Callable[[int, list[Row]], Reply | None] = lambda _number, _rows: None
    token_requests: int = 0
    pages: int = 0
    refused: set[str] = field(default_factory=set)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/oauth2/tokenP":
            self.token_requests += 1
            return Reply(TOKEN | {"access_token": f"token-{self.token_requests}"})
        if asked.headers["authorization"].removeprefix("Bearer ") in self.refused:
            expired = {"rt_cd": "1", "msg_cd": "EGW00123", "msg1": "기간이 만료된 token 입니다."}
            return Reply(expired, status=500)
        self.pages += 1
        hour = "235959" if self.ignores_hour else asked.fields.get("FID_INPUT_HOUR_1", "235959")
        rows = [row for row in reversed(self.rows) if row["stck_cntg_hour"] <= hour]
        page = rows[: self.page_size]
        return self.spoil(self.pages, page) or Reply(envelope(page))


@contextmanager
def serving(vendor: Vendor) -> Iterator[tuple[Replay, dict[str, str]]]:
    with replaying(vendor) as replay:
        yield (
            replay,
            {
                "KIS_BASE_URL": replay.base_url,
                "KIS_APP_KEY": replay.account,
                "KIS_APP_SECRET": "secret-value",
                "KIS_REQUESTS_PER_MINUTE": "0",
                "KIS_TOKEN_INTERVAL_SECONDS": "0",
            },
        )


def load(
    database: Database,
    vendor: Vendor,
    code: str,
    *options: str,
    day: str = DAY,
    dataset: str = "ohlcv_minute",
) -> Any:
    with serving(vendor) as (_, environment):
        return database.loaders(
            "load", "--source", "kis", "--dataset", dataset, "--scope", code,
            "--from", day, "--to", day, "--refresh", *options, **environment,
        )  # fmt: skip


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database()


def status(database: Database, code: str) -> tuple[str, str | None]:
    (row,) = database.rows(
        f"select status, error from raw.fetch_cells where scope = '{code}' and source = 'kis'"
        " order by ledger_id desc limit 1"
    )
    return str(row[0]), None if row[1] is None else str(row[1])


def raw_labels(database: Database, code: str) -> list[Any]:
    return database.rows(
        "select distinct bars.stck_cntg_hour from raw.kis__inquire_time_dailychartprice as bars"
        " inner join raw.fetches as fetches on bars._fetch_id = fetches.fetch_id"
        f" where fetches.request ->> 'FID_INPUT_ISCD' = '{code}'"
    )


def test_all_pages_come_with_the_vendors_headers(database: Database) -> None:
    vendor = Vendor(whole_day())
    with serving(vendor) as (replay, environment):
        run = database.loaders(
            "load", "--source", "kis", "--dataset", "ohlcv_minute", "--scope", "000001",
            "--from", DAY, "--to", DAY, **environment,
        )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert len(raw_labels(database, "000001")) == 300
    assert vendor.pages == 3, "the page that begins at 09:00 is the last one"
    asked = replay.asked[1]
    assert {name: asked.headers[name] for name in ("appkey", "tr_id", "custtype")} == {
        "appkey": replay.account,
        "tr_id": "FHKST03010230",
        "custtype": "P",
    }
    assert asked.headers["authorization"] == "Bearer token-1"
    assert asked.fields["FID_INPUT_HOUR_1"] == "200000"
    kept = database.rows("select fetches::text from raw.fetches as fetches")
    assert not any("secret-value" in str(row) or "token-1" in str(row) for row in kept)
    assert "secret-value" not in run.stderr


def test_a_token_that_ends_between_two_pages_is_replaced_and_the_page_asked_again(
    database: Database,
) -> None:
    vendor = Vendor(whole_day())

    def expire(number: int, _rows: list[Row]) -> Reply | None:
        if number == 2 and not vendor.refused:
            vendor.refused.add(f"token-{vendor.token_requests}")
            return Reply(
                {"rt_cd": "1", "msg_cd": "EGW00123", "msg1": "기간이 만료된 token 입니다."}, 500
            )
        return None

    vendor.spoil = expire
    run = load(database, vendor, "000002", "--strict")
    assert run.returncode == 0, run.stderr
    assert vendor.token_requests == 2
    assert len(raw_labels(database, "000002")) == 300


def test_a_token_that_is_always_refused_stops_the_source(database: Database) -> None:
    vendor = Vendor(whole_day(), refused={f"token-{n}" for n in range(9)})
    run = load(database, vendor, "000003")
    assert run.returncode == 1
    assert "a new token is refused too" in run.stderr
    assert "Traceback" not in run.stderr
    assert vendor.token_requests == 2


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply({"error_code": "EGW00133", "error_description": "접근토큰 발급 잠시 후"}, 403),
            "a token is given once a minute",
        ),
        (
            Reply(
                {"error_code": "EGW00103", "error_description": "유효하지 않은 AppKey입니다."}, 403
            ),
            "check KIS_APP_KEY",
        ),
        (Reply("<html>점검</html>", 200), "no token (HTTP 200)"),
        (Reply("<html>시스템 점검 안내</html>", 503), "시스템 점검 안내"),
        (Reply("<html>시스템 점검 안내</html>", 503), "the vendor may be under maintenance"),
    ],
)
def test_no_token_says_what_to_do(database: Database, reply: Reply, words: str) -> None:
    with replaying(lambda _asked: reply) as replay:
        run = database.loaders(
            "load", "--source", "kis", "--dataset", "ohlcv_minute", "--scope", "000004",
            "--from", DAY, "--to", DAY,
            KIS_BASE_URL=replay.base_url, KIS_APP_KEY=replay.account, KIS_APP_SECRET="some-secret",
            KIS_REQUESTS_PER_MINUTE="0",
        )  # fmt: skip
    assert run.returncode == 1
    assert words in run.stderr
    assert "Traceback" not in run.stderr


def rate_error(number: int, _rows: list[Row]) -> Reply | None:
    busy = {"rt_cd": "1", "msg_cd": "EGW00201", "msg1": "초당 거래건수를 초과하였습니다."}
    return Reply(busy, 500) if number in (1, 3) else None


def test_a_rate_error_is_asked_again(database: Database) -> None:
    run = load(database, Vendor(whole_day(), spoil=rate_error), "000005", "--strict")
    assert run.returncode == 0, run.stderr
    assert len(raw_labels(database, "000005")) == 300


@pytest.mark.parametrize("http_status", [200, 500])
def test_a_rate_error_that_lasts_stops_the_source_and_says_what_to_lower(
    database: Database, http_status: int
) -> None:
    busy = {"rt_cd": "1", "msg_cd": "EGW00201", "msg1": "초당 거래건수를 초과하였습니다."}
    vendor = Vendor([], spoil=lambda _number, _rows: Reply(busy, http_status))
    run = load(database, vendor, "000006")
    assert run.returncode == 1
    assert "lower KIS_REQUESTS_PER_MINUTE" in run.stderr
    assert "Traceback" not in run.stderr
    assert vendor.pages == 3, "as often as a request is tried, and no other one"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "HTTP 403: access is refused; check KIS_APP_KEY"),
        (429, "HTTP 429 again and again: lower KIS_REQUESTS_PER_MINUTE"),
    ],
)
def test_a_refusal_without_a_code_stops_the_source(
    new_database: Callable[..., Database], status: int, words: str
) -> None:
    fresh = new_database()
    vendor = Vendor(whole_day(), spoil=lambda _number, _rows: Reply("<html>refused</html>", status))
    with serving(vendor) as (_, environment):
        run = fresh.loaders(
            "load", "--source", "kis", "--dataset", "ohlcv_minute", "--scope", "000061",
            "--from", "2026-09-21", "--to", DAY, **environment | {"KIS_CONCURRENCY": "1"},
        )  # fmt: skip
    assert run.returncode == 1
    assert words in run.stderr
    assert vendor.pages == (3 if status == 429 else 1), "the other days are not asked for"


@pytest.mark.parametrize(
    ("code", "spoil", "words"),
    [
        ("000010", lambda n, _rows: Reply("<html>점검</html>") if n == 2 else None, "web page, not JSON"),
        ("000011", lambda n, _rows: Reply('{"rt_cd": "0", "outp') if n == 2 else None, "not complete JSON"),
        ("000012", lambda n, _rows: Reply({"rt_cd": "1", "msg_cd": "OPSQ2001", "msg1": "ERROR"}) if n == 2 else None, "OPSQ2001"),
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_read_fails_the_cell(
    database: Database, code: str, spoil: Callable[[int, list[Row]], Reply | None], words: str
) -> None:
    run = load(database, Vendor(whole_day(), spoil=spoil), code)
    assert "Traceback" not in run.stderr
    ended, error = status(database, code)
    assert ended == "PARTIAL"
    assert error is not None
    assert words in error


def test_a_page_that_comes_again_in_mid_paging_fails_the_cell(database: Database) -> None:
    second: list[Row] = []

    def stuck_at_the_second(number: int, rows: list[Row]) -> Reply | None:
        if number == 2:
            second.extend(rows)
        return Reply(envelope(second)) if number > 2 else None

    stuck = Vendor(whole_day(), spoil=stuck_at_the_second)
    load(database, stuck, "000013")
    ended, error = status(database, "000013")
    assert (ended, error is not None and "came before" in error) == ("PARTIAL", True)
    assert stuck.pages == 3


def test_a_page_of_another_day_in_mid_paging_fails_the_cell(database: Database) -> None:
    def of_the_day_before(number: int, rows: list[Row]) -> Reply | None:
        stale = [row | {"stck_bsop_date": "20260928"} for row in rows]
        return Reply(envelope(stale)) if number == 2 else None

    load(database, Vendor(whole_day(), spoil=of_the_day_before), "000017")
    ended, error = status(database, "000017")
    assert (ended, error is not None and "is of another day" in error) == ("PARTIAL", True)


def test_one_empty_page_in_mid_paging_is_asked_for_again(database: Database) -> None:
    vendor = Vendor(
        whole_day(), spoil=lambda number, _rows: Reply(envelope([])) if number == 2 else None
    )
    load(database, vendor, "000039")
    assert status(database, "000039") == ("SUCCESS", None)
    assert len(raw_labels(database, "000039")) == 300
    assert vendor.pages == 4


@pytest.mark.parametrize(
    ("code", "off_hours_value", "pages"), [("000040", 10**9, 3), ("000041", 0, 2)]
)
def test_an_empty_page_is_believed_the_second_time_or_where_the_day_has_begun(
    database: Database, code: str, off_hours_value: int, pages: int
) -> None:
    # the first bar's total may hold what was traded before the opening, and no bar lies before it
    vendor = Vendor(whole_day(100, begins_at="1100", off_hours_value=off_hours_value))
    load(database, vendor, code)
    assert status(database, code) == ("SUCCESS", None)
    assert (len(raw_labels(database, code)), vendor.pages) == (100, pages)


def test_the_day_before_after_a_day_that_ends_with_its_page_is_no_error(
    database: Database,
) -> None:
    # trades from 11:00 on, as many as two pages hold: the third one is all of the day before
    rows = whole_day(240, begins_at="1100")

    def then_the_day_before(_number: int, page: list[Row]) -> Reply | None:
        return (
            None
            if page
            else Reply(envelope([row | {"stck_bsop_date": "20260928"} for row in rows[:120]]))
        )

    load(database, Vendor(rows, spoil=then_the_day_before), "000018")
    assert status(database, "000018") == ("SUCCESS", None)


@pytest.mark.parametrize(
    ("code", "at", "day"),
    [
        ("000031", 0, "20260928"),
        ("000032", 60, "20260930"),
        # where the day before would stand
        ("000033", -1, "20260928"),
    ],
)
def test_one_bar_of_another_day_does_not_end_the_paging(
    database: Database, code: str, at: int, day: str
) -> None:
    def with_a_stray_bar(number: int, rows: list[Row]) -> Reply | None:
        if number > 1:
            return None
        rows[at] = rows[at] | {"stck_bsop_date": day}
        return Reply(envelope(rows))

    load(database, Vendor(whole_day(), spoil=with_a_stray_bar), code)
    assert status(database, code) == ("SUCCESS", None)
    assert len(raw_labels(database, code)) == 300


def test_off_hours_trades_before_the_first_bar_do_not_make_its_page_doubtful(
    database: Database,
) -> None:
    # trades from 11:00 on; the running total of the first bar holds what was traded before the opening
    rows = whole_day(100, begins_at="1100", off_hours_value=10**9)

    def then_the_day_before(_number: int, page: list[Row]) -> Reply | None:
        before = [row | {"stck_bsop_date": "20260928"} for row in rows[::-1]]
        return Reply(envelope([*page, *before][:120]))

    vendor = Vendor(rows, spoil=then_the_day_before)
    load(database, vendor, "000034")
    assert status(database, "000034") == ("SUCCESS", None)


def test_the_tail_of_the_day_before_ends_a_day_that_fills_its_pages(database: Database) -> None:
    # trades from 10:01 on, and off-hours ones in the first total: only the hours of the page after tell what it is
    rows = whole_day(120, begins_at="1001", off_hours_value=10**9)
    before = [bar("153000", (100, 100, 100, 100), 1, 9_000, "20260928")]

    def then_the_day_before(_number: int, page: list[Row]) -> Reply | None:
        return None if page else Reply(envelope(before))

    load(database, Vendor(rows, spoil=then_the_day_before), "000035")
    assert status(database, "000035") == ("SUCCESS", None)


def test_a_label_that_is_no_time_does_not_end_the_paging(database: Database) -> None:
    def with_minute_61(number: int, rows: list[Row]) -> Reply | None:
        if number > 1:
            return None
        rows[60] = rows[60] | {"stck_cntg_hour": "006100"}
        return Reply(envelope(rows))

    load(database, Vendor(whole_day(), spoil=with_minute_61), "000036")
    assert status(database, "000036") == ("SUCCESS", None)
    assert len(raw_labels(database, "000036")) == 300


@pytest.mark.parametrize(("code", "form"), [("000037", "{}:{}:00"), ("000038", "{}{}")])
def test_labels_that_cannot_be_read_fail_the_day_and_are_no_day_without_trades(
    database: Database, code: str, form: str
) -> None:
    rows = [
        row | {"stck_cntg_hour": form.format(row["stck_cntg_hour"][:2], row["stck_cntg_hour"][2:4])}
        for row in whole_day(100)
    ]
    load(database, Vendor(rows), code)
    ended, error = status(database, code)
    assert ended in ("FAILED", "PARTIAL")
    assert error is not None
    assert "is a time HHMMSS" in error


def filled(dataset: str, value: str) -> Row:
    """A record with one value in all its fields."""
    endpoint = {
        "ohlcv_minute": "inquire-time-dailychartprice",
        "ohlcv_daily": "inquire-daily-itemchartprice",
        "investor_trading": "investor-trade-by-stock-daily",
    }[dataset]
    return dict.fromkeys(raw_tables()["kis", endpoint].vendor_fields, value)


@pytest.mark.parametrize(
    ("code", "dataset", "day"),
    [
        ("000042", "ohlcv_minute", "260929"),
        ("000043", "ohlcv_daily", "260929"),
        ("000044", "investor_trading", "260929"),
        # a century that no market has
        ("000045", "ohlcv_daily", "26101213"),
        ("000048", "ohlcv_daily", None),
    ],
)
def test_days_that_cannot_be_read_fail_the_cell_and_are_no_day_without_data(
    database: Database, code: str, dataset: str, day: str | None
) -> None:
    reply = Reply(envelope([filled(dataset, "1") | {"stck_bsop_date": day}]))
    load(database, Vendor([], spoil=lambda _n, _rows: reply), code, dataset=dataset)
    ended, error = status(database, code)
    assert ended == "FAILED"
    assert error is not None
    assert f"no stck_bsop_date of the answer tells a day YYYYMMDD; one is {day!r}" in error


@pytest.mark.parametrize(
    ("code", "dataset"), [("000049", "ohlcv_daily"), ("000049", "investor_trading")]
)
@pytest.mark.parametrize("beside", ["2026O929", ""])
def test_a_day_that_may_be_that_of_an_unreadable_row_is_asked_for_again(
    database: Database, code: str, dataset: str, beside: str
) -> None:
    """EMPTY is for good: the row is rejected later on, and its day must not count as one without data."""
    rows = [filled(dataset, "1") | {"stck_bsop_date": day} for day in (beside, "20260925")]
    load(database, Vendor([], spoil=lambda _n, _rows: Reply(envelope(rows))), code, dataset=dataset)
    ended, error = status(database, code)
    if beside:
        assert ended == "FAILED"
        assert error == f"a row of the answer tells no day, '{beside}': it may be of this one"
    else:
        assert (ended, error) == ("EMPTY", None)


@pytest.mark.parametrize("dataset", ["ohlcv_minute", "ohlcv_daily", "investor_trading"])
@pytest.mark.parametrize(("code", "says_nothing"), [("000046", {}), ("000047", None)])
def test_a_record_that_holds_nothing_is_no_day_that_cannot_be_read(
    database: Database, dataset: str, code: str, says_nothing: Row | None
) -> None:
    reply = Reply(envelope([filled(dataset, "") if says_nothing is None else says_nothing]))
    load(database, Vendor([], spoil=lambda _n, _rows: reply), code, dataset=dataset)
    assert status(database, code) == ("EMPTY", None)


def test_a_vendor_that_knows_one_page_only_is_believed_with_a_warning(database: Database) -> None:
    stuck = Vendor(whole_day(), ignores_hour=True)
    run = load(database, stuck, "000023")
    assert status(database, "000023") == ("SUCCESS", None)
    assert "the second page is the first one again" in run.stderr
    assert len(raw_labels(database, "000023")) == 120
    assert stuck.pages == 2


def test_pages_without_an_end_are_stopped(database: Database) -> None:
    # a bar a second, a row a page: always something earlier
    rows = [
        bar(f"{9 + n // 3600:02d}{n // 60 % 60:02d}{n % 60:02d}", (1, 1, 1, 1), 1, n + 1)
        for n in range(3600)
    ]
    endless = Vendor(rows[60:], page_size=1)
    load(database, endless, "000014")
    ended, error = status(database, "000014")
    assert (ended, error is not None and "no end after" in error) == ("PARTIAL", True)


def test_beyond_what_the_vendor_keeps_is_empty(database: Database) -> None:
    run = load(database, Vendor([]), "000015", day="2024-09-02")
    assert run.returncode == 0, run.stderr
    assert status(database, "000015") == ("EMPTY", None)


def test_before_the_after_market_the_prolonged_closing_auction_is_asked_for(
    database: Database,
) -> None:
    day = "20260911"
    vendor = Vendor([
        bar("151900", (100, 100, 100, 100), 10, 1_000, day),
        bar("153200", (100, 100, 100, 100), 10, 2_000, day),
    ])  # fmt: skip
    run = load(database, vendor, "000097", "--strict", day="2026-09-11")
    assert run.returncode == 0, run.stderr
    assert set(raw_labels(database, "000097")) == {("151900",), ("153200",)}


def test_outside_its_hours_is_not_published(database: Database) -> None:
    closed = {"rt_cd": "2", "msg_cd": "", "msg1": "TIME LIMIT 00:00 ~ 15:40"}
    load(database, Vendor([], spoil=lambda _n, _rows: Reply(closed)), "000016")
    assert status(database, "000016") == ("NOT_PUBLISHED", None)


@pytest.fixture(scope="module")
def today(new_database: Callable[..., Database]) -> Database:
    """A database whose clock can be moved; its sample answers bear the vendor's mark."""
    return new_database(sample=True)


TODAY = "2026-10-08"


def load_at(
    today: Database, hours: str, rows: list[Row], code: str, *options: str, **beside: str | None
) -> str:
    """Load the minutes of today at an hour, with this record beside them; how the cell ended."""
    today.execute(f"update ops.warehouse set sample_now = '{TODAY}T{hours}:00+09:00'")

    vendor = Vendor(
        [row | {"stck_bsop_date": TODAY.replace("-", "")} for row in rows],
        spoil=lambda _number, page: Reply(envelope(page) | {"output1": beside}),
    )
    with replaying(
        lambda asked: replace(vendor(asked), headers={"X-Sample-Data": "yes"})
    ) as replay:
        run = today.loaders(
            "load", "--source", "kis", "--dataset", "ohlcv_minute", "--scope", code,
            *(options or ("--from", TODAY, "--to", TODAY)),
            KIS_BASE_URL=replay.base_url, KIS_APP_KEY=replay.account, KIS_APP_SECRET="secret-value",
            KIS_REQUESTS_PER_MINUTE="0", KIS_TOKEN_INTERVAL_SECONDS="0",
        )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return status(today, code)[0]


@pytest.mark.parametrize(
    ("code", "traded", "ended"),
    [
        ("000050", "0", "EMPTY"),
        ("000051", "000000", "EMPTY"),
        ("000052", "500", "NOT_PUBLISHED"),
        ("000053", "", "NOT_PUBLISHED"),
        ("000054", " ", "NOT_PUBLISHED"),
        ("000055", None, "NOT_PUBLISHED"),
    ],
)
def test_today_without_bars_is_over_only_where_the_vendor_counts_no_share(
    today: Database, code: str, traded: str | None, ended: str
) -> None:
    assert load_at(today, "20:30", [], code, acml_vol=traded) == ended


def test_a_session_that_showed_bars_is_not_empty_in_the_end(today: Database) -> None:
    assert load_at(today, "13:30", whole_day(240), "000056", "--live") == "PROVISIONAL"
    assert load_at(today, "20:30", [], "000056", acml_vol="0") == "NOT_PUBLISHED"
    assert load_at(today, "20:40", whole_day(300), "000056", acml_vol="3000") == "SUCCESS"


# --- from raw to the mart ---------------------------------------------------------------------------------------------


def gap(rows: list[Row]) -> list[Row]:
    return rows[:100] + rows[220:]


def the_page_after_next(number: int, _rows: list[Row]) -> Reply | None:
    return Reply(envelope(whole_day()[59::-1])) if number == 2 else None


def falling(rows: list[Row]) -> list[Row]:
    return [row | {"acml_tr_pbmn": "1"} if n == 150 else row for n, row in enumerate(rows)]


def changed(at: int, **values: str) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [row | values if n == at else row for n, row in enumerate(rows)]


def no_trades(rows: list[Row]) -> list[Row]:
    return [*rows, rows[-1] | {"stck_cntg_hour": "140000", "cntg_vol": "0"}]


def twice_with_other_volume(rows: list[Row]) -> list[Row]:
    return [*rows[:151], rows[150] | {"cntg_vol": "12"}, *rows[151:]]


def one_without_total(rows: list[Row]) -> list[Row]:
    return [
        {name: value for name, value in row.items() if n != 150 or name != "acml_tr_pbmn"}
        for n, row in enumerate(rows)
    ]


def within_bars_of_the_day_before(rows: list[Row]) -> list[Row]:
    """Wherever it stands but behind the day, where the broker's last page goes on into the day before."""
    before = bar("090000", (1, 1, 1, 1), 1, 1, day="20260928")
    return [before, rows[0], before | {"stck_cntg_hour": "090100"}, *rows[1:]]


REAL_BARS = [
    bar("095900", (271000, 271500, 271000, 271500), 11418, None),
    bar("100000", (271500, 272000, 271000, 272000), 46062, None),
]

BROKEN_BARS: dict[str, tuple[Callable[[list[Row]], list[Row]], str, int]] = {
    # code: what is done to the day, the rule that names it, bars that are published all the same
    "100020": (falling, "RUNNING_TOTAL_FALLS", 0),
    "100030": (changed(150, stck_hgpr="270000", stck_lwpr="272500"), "PRICE_ORDER", 299),
    "100040": (changed(150, stck_oprc="0"), "VOLUME_WITHOUT_PRICE", 299),
    "100050": (changed(150, cntg_vol="-"), "VALUE_MISSING", 299),
    "100060": (changed(150, cntg_vol="ten"), "VALUE_UNREADABLE", 299),
    "100070": (changed(150, cntg_vol="11"), "RUNNING_TOTAL_MISMATCH", 299),
    "100080": (changed(299, stck_cntg_hour="154500"), "OUTSIDE_HOURS", 299),
    "100090": (changed(299, stck_cntg_hour="136100"), "LABEL_UNREADABLE", 299),
    "100100": (no_trades, "NO_TRADES", 300),
    "100110": (twice_with_other_volume, "CONFLICTING_DUPLICATE", 0),
    "100120": (within_bars_of_the_day_before, "OTHER_DAY", 300),
}


@pytest.fixture(scope="module")
def built(new_database: Callable[..., Database]) -> Database:
    """One build over everything: sound days, and one for each way in which a day can be wrong."""
    database = new_database()
    loads = {
        "200010": Vendor(whole_day()),
        # the same day in other page sizes, seconds off the minute, and pages that overlap
        "200020": Vendor(whole_day(), page_size=30),
        "200030": Vendor(
            [row | {"stck_cntg_hour": row["stck_cntg_hour"][:4] + "11"} for row in whole_day()]
        ),
        "200040": Vendor([row for row in whole_day() for _ in range(2)], page_size=119),
        # every page upside down
        "200050": Vendor(whole_day(), spoil=lambda _n, rows: Reply(envelope(rows[::-1]))),
        "005930": Vendor(REAL_BARS, ignores_hour=True),
        "100010": Vendor(gap(whole_day())),
        "100017": Vendor(one_without_total(whole_day())),
        # the third page comes where the second one should
        "100015": Vendor(whole_day(), spoil=the_page_after_next),
    }
    for code, (spoil, _rule, _left) in BROKEN_BARS.items():
        # in one page, so that the wrong bar comes wherever it stands
        loads[code] = Vendor(spoil(whole_day()), page_size=400)
    for code, vendor in loads.items():
        run = load(database, vendor, code)
        assert run.returncode == 0, (code, run.stderr)
        assert status(database, code) == ("SUCCESS", None), code
    done = database.build("ohlcv_minute", "rejected_rows", "warned_rows")
    assert done.returncode == 0, done.stdout
    return database


@pytest.mark.parametrize("code", ["200010", "200020", "200030", "200040", "200050"])
def test_the_value_of_a_minute_is_the_difference_of_running_totals(
    built: Database, code: str
) -> None:
    rows = built.rows(
        "select to_char(time at time zone 'Asia/Seoul', 'HH24MI'), close_price, volume, trading_value, session, venue"
        f" from marts.ohlcv_minute where stock_code = '{code}' order by time"
    )
    assert rows == [
        (row["stck_cntg_hour"][:4], int(row["stck_prpr"]), 10, 10 * int(row["stck_prpr"]), "REGULAR", "KRX")
        for row in whole_day()
    ]  # fmt: skip


def test_real_bars_without_a_running_total_are_published_without_value(built: Database) -> None:
    assert built.rows(
        "select time::text, open_price, high_price, low_price, close_price, volume, trading_value"
        " from marts.ohlcv_minute where stock_code = '005930' order by time"
    ) == [
        ("2026-09-29 09:59:00+09", 271000, 271500, 271000, 271500, 11418, None),
        ("2026-09-29 10:00:00+09", 271500, 272000, 271000, 272000, 46062, None),
    ]


def test_a_bar_without_its_running_total_is_published_without_value_and_warned_of(
    built: Database,
) -> None:
    # its own value cannot be told, nor that of the bar after it
    assert built.rows(
        "select to_char(time at time zone 'Asia/Seoul', 'HH24MISS') from marts.ohlcv_minute"
        " where stock_code = '100017' and trading_value is null order by time"
    ) == [("113000",), ("113100",)]
    assert built.rows(
        "select item, rule_id from quality.warned_rows where stock_code = '100017' order by item"
    ) == [("113000", "VALUE_NOT_TOLD"), ("113100", "VALUE_NOT_TOLD")]


def test_missing_bars_show_in_the_running_total_and_the_others_are_published(
    built: Database,
) -> None:
    assert built.rows(
        "select count(*), count(*) filter (where trading_value is null) from marts.ohlcv_minute"
        " where stock_code = '100010'"
    ) == [(180, 1)]
    assert built.rows(
        "select rule_id from quality.warned_rows where stock_code = '100010' and reason_en is not null"
    ) == [("RUNNING_TOTAL_GAP",)]


def test_a_page_out_of_its_order_leaves_a_gap_that_is_named(built: Database) -> None:
    assert built.rows(
        "select count(*), count(*) filter (where trading_value is null), min(time)::text, max(time)::text"
        " from marts.ohlcv_minute where stock_code = '100015'"
    ) == [(180, 1, "2026-09-29 09:00:00+09", "2026-09-29 13:59:00+09")]
    assert built.rows(
        "select item, rule_id from quality.warned_rows where stock_code = '100015'"
    ) == [("120000", "RUNNING_TOTAL_GAP")]


@pytest.mark.parametrize("code", BROKEN_BARS)
def test_a_wrong_bar_is_named_and_never_published(built: Database, code: str) -> None:
    _, rule, left = BROKEN_BARS[code]
    rules = built.rows(
        f"select distinct rule_id from quality.rejected_rows where stock_code = '{code}' and reason_en is not null"
    )
    assert (rule,) in rules
    assert built.rows(f"select count(*) from marts.ohlcv_minute where stock_code = '{code}'") == [
        (left,)
    ]
    assert built.rows(
        "select count(*) from marts.ohlcv_minute"
        " where not (trading_value between low_price::bigint * volume and high_price::bigint * volume)"
    ) == [(0,)]


def test_bars_of_the_day_before_that_follow_the_day_are_no_finding(built: Database) -> None:
    assert built.rows(
        "select item, rule_id from quality.rejected_rows where stock_code = '100120'"
    ) == [("090100", "OTHER_DAY")]


def test_a_day_with_a_gap_is_published_with_a_warning_and_no_guessed_value(
    built: Database,
) -> None:
    bars = built.rows(
        "select to_char(time at time zone 'Asia/Seoul', 'HH24MI'), volume, trading_value is null"
        " from marts.ohlcv_minute where stock_code = '100010' order by time"
    )
    assert len(bars) == 180
    assert [label for label, _, has_no_value in bars if has_no_value] == ["1240"]
    assert built.rows(
        "select item, rule_id from quality.warned_rows where stock_code = '100010'"
    ) == [("124000", "RUNNING_TOTAL_GAP")]


def test_a_second_look_replaces_the_day_and_keeps_when_a_bar_first_came(built: Database) -> None:
    before = dict(
        built.rows("select time, created_at from marts.ohlcv_minute where stock_code = '100020'")
    )
    first = dict(
        built.rows("select time, created_at from marts.ohlcv_minute where stock_code = '200010'")
    )
    assert before == {}, "its running total fell, so the day was held back"
    for code in ("100020", "200010"):
        # the running total of the last bar differs, so that the payload is another one
        assert load(built, Vendor(whole_day(301)), code).returncode == 0
    done = built.build("ohlcv_minute")
    assert done.returncode == 0, done.stdout
    assert built.rows("select count(*) from marts.ohlcv_minute where stock_code = '100020'") == [
        (301,)
    ]
    second = dict(
        built.rows("select time, created_at from marts.ohlcv_minute where stock_code = '200010'")
    )
    assert len(second) == 301
    assert {time: second[time] for time in first} == first
