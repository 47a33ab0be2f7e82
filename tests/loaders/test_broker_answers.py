"""Answers of the two brokers that say less than they seem to: of another stock or day, cut, or told by some calls alone."""

from collections.abc import Callable, Mapping

import pytest

from tests.conftest import Database
from tests.loaders import test_kiwoom_minutes as kiwoom
from tests.loaders.test_kis_minutes import DAY, Vendor, envelope, filled, status, whole_day
from tests.loaders.test_kis_minutes import load as load_kis
from tests.loaders.test_wics_fnguide_kiwoom import ROW, load_replayed
from tests.replay import Asked, Reply

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
