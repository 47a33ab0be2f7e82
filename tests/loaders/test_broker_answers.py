"""Answers of the two brokers that say less than they seem to: of another stock or day, cut, or told by some calls alone."""

from collections.abc import Callable, Mapping
from datetime import date
from itertools import count

import pytest

from loaders import calendar
from loaders.contracts import raw_tables
from tests.conftest import Database
from tests.loaders import test_kiwoom_minutes as kiwoom
from tests.loaders.test_kis_minutes import DAY, TOKEN, Vendor, envelope, filled, status, whole_day
from tests.loaders.test_kis_minutes import load as load_kis
from tests.loaders.test_wics_fnguide_kiwoom import ROW, load_replayed
from tests.replay import Asked, Reply, replaying

PLAIN_DAY = DAY.replace("-", "")


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database()


def ended(database: Database, code: str) -> dict[str, tuple[str, str | None]]:
    """How each day of a stock ended in the end, and with which error."""
    return {
        str(day): (str(how), None if error is None else str(error))
        for day, how, error in database.rows(
            "select collection_date::text, status, error from raw.fetch_cells"
            f" where scope = '{code}' order by ledger_id"
        )
    }


# --- of another stock -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "told", "how"),
    [
        ("300010", "000660", "FAILED"),
        ("300020", "300020", "SUCCESS"),
        # the code with a letter or zeros before it, or none at all
        ("300030", "A300030", "SUCCESS"),
        ("300040", "000000300040", "SUCCESS"),
        ("300050", "", "SUCCESS"),
        ("300060", None, "SUCCESS"),
    ],
)
def test_what_kis_tells_of_another_stock_is_kept_out(
    database: Database, code: str, told: str | None, how: str
) -> None:
    rows = [filled("ohlcv_daily", "1") | {"stck_bsop_date": PLAIN_DAY}]
    reply = Reply(envelope(rows) | {"output1": {"stck_shrn_iscd": told}})
    load_kis(database, Vendor([], spoil=lambda _n, _r: reply), code, dataset="ohlcv_daily")
    assert status(database, code)[0] == how
    if how == "FAILED":
        assert f"asked for {code}, the answer is of '{told}'" in str(status(database, code)[1])


@pytest.mark.parametrize(
    ("code", "told", "how"),
    [
        ("400010", "000660", "FAILED"),
        ("400020", "A400020", "SUCCESS"),
        ("400030", "400030_AL", "SUCCESS"),
        ("400040", "", "SUCCESS"),
    ],
)
def test_what_kiwoom_tells_of_another_stock_is_kept_out(
    database: Database, code: str, told: str, how: str
) -> None:
    reply = Reply(
        {"stk_cd": told, "stk_dt_pole_chart_qry": [ROW | {"dt": PLAIN_DAY}], "return_code": 0},
        headers={"cont-yn": "N"},
    )
    load_replayed(
        database, lambda _asked: reply,
        "--dataset", "ohlcv_daily", "--scope", code, "--from", DAY, "--to", DAY,
    )  # fmt: skip
    cell = ended(database, code)[DAY]
    assert cell[0] == how
    if how == "FAILED":
        assert f"asked for {code}, the answer is of '{told}'" in str(cell[1])


# --- told by some calls alone -----------------------------------------------------------------------------------------


def test_flows_that_one_call_of_six_lacks_are_no_day_without_flows(database: Database) -> None:
    """EMPTY is for good: five calls tell the day, and the one of values sold does not."""
    record = kiwoom.filled("investor_trading", "0")

    def answer(asked: Asked) -> Reply:
        lacks = (asked.fields["amt_qty_tp"], asked.fields["trde_tp"]) == ("1", "2")
        days = ["20260923"] if lacks else [PLAIN_DAY, "20260923"]
        rows = [record | {"dt": day} for day in days]
        return Reply({"stk_invsr_orgn": rows, "return_code": 0}, headers={"cont-yn": "N"})

    load_replayed(
        database, answer,
        "--dataset", "investor_trading", "--scope", "400050", "--from", "2026-09-22", "--to", DAY,
    )  # fmt: skip
    cells = ended(database, "400050")
    assert {day: how for day, (how, _) in cells.items()} == {
        "2026-09-22": "EMPTY", "2026-09-23": "SUCCESS", "2026-09-28": "EMPTY", DAY: "NOT_PUBLISHED",
    }  # fmt: skip


# --- cut --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "headers", "at_the_cut", "before"),
    [
        ("400060", {"cont-yn": "N"}, "SUCCESS", "EMPTY"),
        # lost on the way, or no word of the vendor's: then nobody has said that this is all
        ("400061", {}, "FAILED", "NOT_PUBLISHED"),
        ("400062", {"cont-yn": " "}, "FAILED", "NOT_PUBLISHED"),
        ("400063", {"cont-yn": "Y", "next-key": "1"}, "FAILED", "NOT_PUBLISHED"),
    ],
)
def test_minutes_that_end_within_a_day_are_all_of_it_where_the_vendor_says_so(
    database: Database, code: str, headers: Mapping[str, str], at_the_cut: str, before: str
) -> None:
    rows = kiwoom.day_of("0900", 300)[:200]

    def answer(asked: Asked) -> Reply:
        # what was promised does not come
        is_next = bool(asked.headers.get("next-key"))
        return Reply(
            {"stk_min_pole_chart_qry": [] if is_next else rows, "return_code": 0},
            headers={"cont-yn": "N"} if is_next else headers,
        )

    load_replayed(
        database, answer,
        "--dataset", "ohlcv_minute", "--scope", code, "--from", "2026-09-28", "--to", DAY,
    )  # fmt: skip
    cells = ended(database, code)
    assert {day: how for day, (how, _) in cells.items()} == {"2026-09-28": before, DAY: at_the_cut}
    assert at_the_cut == "SUCCESS" or "end within the day" in str(cells[DAY][1])


def test_a_header_that_is_lost_costs_a_day_that_came_whole_nothing(database: Database) -> None:
    reply = Reply({"stk_min_pole_chart_qry": kiwoom.day_of("0900", 300), "return_code": 0})
    load_replayed(
        database, lambda _asked: reply,
        "--dataset", "ohlcv_minute", "--scope", "400070", "--from", DAY, "--to", DAY,
    )  # fmt: skip
    assert ended(database, "400070") == {DAY: ("SUCCESS", None)}


# --- of other days ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "dataset"),
    [("300070", "ohlcv_minute"), ("300071", "ohlcv_daily"), ("300072", "investor_trading")],
)
def test_an_answer_of_later_days_alone_says_nothing_of_the_days_asked_for(
    database: Database, code: str, dataset: str
) -> None:
    """EMPTY is for good: whoever answers with the newest days, whichever were asked for, has not said that there is none."""
    rows = whole_day(60)[::-1] if dataset == "ohlcv_minute" else [filled(dataset, "1")]
    reply = Reply(envelope([row | {"stck_bsop_date": "20261002"} for row in rows]))
    load_kis(database, Vendor([], spoil=lambda _n, _r: reply), code, dataset=dataset)
    how, error = status(database, code)
    assert how == "FAILED"
    assert f"asked for days up to {DAY}, the answer is of '20261002'" in str(error)


@pytest.mark.parametrize("dataset", ["ohlcv_daily", "investor_trading"])
@pytest.mark.parametrize(
    ("code", "beside", "how"), [("300080", "20270929", "FAILED"), ("300081", "20260922", "EMPTY")]
)
def test_a_row_of_a_day_to_come_may_be_that_of_a_day_that_is_missing(
    database: Database, dataset: str, code: str, beside: str, how: str
) -> None:
    rows = [filled(dataset, "1") | {"stck_bsop_date": day} for day in (beside, "20260923")]
    load_kis(
        database, Vendor([], spoil=lambda _n, _r: Reply(envelope(rows))), code, dataset=dataset
    )
    assert status(database, code)[0] == how


@pytest.mark.parametrize(
    ("code", "misdated"), [("300090", "20160811"), ("300091", "00000000"), ("300092", None)]
)
def test_one_flow_of_a_day_long_gone_does_not_end_the_paging(
    database: Database, code: str, misdated: str | None
) -> None:
    days = [f"{day:%Y%m%d}" for day in calendar.sessions(date(2026, 6, 1), date(2026, 8, 14))]
    wanted, page_count = days[-50:], count(1)

    def answer(asked: Asked) -> Reply:
        if asked.path == "/oauth2/tokenP":
            return Reply(TOKEN)
        end = asked.fields["FID_INPUT_DATE_1"]
        page = [day for day in wanted[::-1] if day <= end][:30]
        rows = [filled("investor_trading", "1") | {"stck_bsop_date": day} for day in page]
        if misdated and next(page_count) == 1:
            rows[10] |= {"stck_bsop_date": misdated}
        return Reply(envelope(rows))

    with replaying(answer) as replay:
        database.loaders(
            "load", "--source", "kis", "--dataset", "investor_trading", "--scope", code,
            "--from", f"{date.fromisoformat(wanted[0])}", "--to", "2026-08-14", "--refresh",
            KIS_BASE_URL=replay.base_url, KIS_APP_KEY=replay.account, KIS_APP_SECRET="secret-value",
            KIS_REQUESTS_PER_MINUTE="0", KIS_TOKEN_INTERVAL_SECONDS="0",
        )  # fmt: skip
    hows = [how for how, _ in ended(database, code).values()]
    assert hows.count("SUCCESS") == (49 if misdated else 50)


# --- how a stock is asked for -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_a_note(new_database: Callable[..., Database]) -> Database:
    """A database whose lists name a note (ETN) and a stock, and in which KIS was asked for the bars of both."""
    database = new_database()
    listed = dict.fromkeys(raw_tables()["kiwoom", "ka10099"].vendor_fields, "") | {
        "listCount": "0000000000010000", "regDay": "20200102",
    }  # fmt: skip
    entries = [
        listed | {"code": "500019", "name": "신한 레버리지 WTI원유 선물 ETN", "marketCode": "60"},
        listed | {"code": "005930", "name": "삼성전자", "marketCode": "0"},
    ]
    run, _ = load_replayed(
        database,
        lambda asked: Reply(
            {"list": entries if asked.fields["mrkt_tp"] == "0" else [], "return_code": 0}
        ),
        "--dataset", "stocks",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    bar = filled("ohlcv_daily", "10000") | {
        "stck_bsop_date": PLAIN_DAY, "acml_vol": "10", "acml_tr_pbmn": "100000", "prdy_vrss": "0", "prdy_vrss_sign": "3",
    }  # fmt: skip

    def answer(asked: Asked) -> Reply:
        if asked.path == "/oauth2/tokenP":
            return Reply(TOKEN)
        # a note is not known without its letter, nor anything beside the exchange
        is_known = asked.fields["FID_INPUT_ISCD"] in ("Q500019", "005930")
        is_of_exchange = asked.fields["FID_COND_MRKT_DIV_CODE"] == "J"
        return Reply(envelope([bar] if is_known and is_of_exchange else []))

    with replaying(answer) as replay:
        for code in ("500019", "005930"):
            run = database.loaders(
                "load", "--source", "kis", "--dataset", "ohlcv_daily", "--scope", code,
                "--from", DAY, "--to", DAY,
                KIS_BASE_URL=replay.base_url, KIS_APP_KEY=replay.account, KIS_APP_SECRET="secret-value",
                KIS_REQUESTS_PER_MINUTE="0", KIS_MARKET_DIVISION="NX",
            )  # fmt: skip
            assert run.returncode == 0, run.stderr
    return database


@pytest.mark.parametrize("code", ["500019", "005930"])
def test_a_note_is_asked_for_with_its_letter_and_bars_of_the_exchange_whatever_the_venue(
    with_a_note: Database, code: str
) -> None:
    assert ended(with_a_note, code) == {DAY: ("SUCCESS", None)}


def test_the_letter_of_a_note_does_not_reach_the_mart(with_a_note: Database) -> None:
    built = with_a_note.build("ohlcv_daily")
    assert built.returncode == 0, built.stdout
    assert with_a_note.rows(
        "select stock_code, close_price, source from marts.ohlcv_daily order by stock_code"
    ) == [("005930", 10000, "kis"), ("500019", 10000, "kis")]
