"""A real day of 551 stocks in the broker's shape, through loader and dbt, against the file and the daily bars beside it."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import pytest

from tests.conftest import Database
from tests.loaders.test_kis_minutes import TOKEN, Row, bar, envelope
from tests.replay import Asked, Reply, replaying

DAY = "2019-09-20"
PAGE = 400
"""Rows of a page: a whole day, where the broker itself sends 120; how pages are walked is tested with the loader."""

ADJUSTED_SINCE = {
    "000220", "000720", "001020", "001530", "002320", "002720", "003280", "004140", "004870", "005110", "005850",
    "006730", "006980", "007690", "009810", "010050", "010580", "011810", "013000", "015260", "015590", "016670",
    "017650", "023790", "027970", "033310",
}  # fmt: skip
"""Names whose daily bars differ in price: the file of 2022 is adjusted for what happened after 2019."""

OFF_HOURS = {
    "000270", "000390", "000660", "001360", "001430", "003780", "004250", "005360", "005930", "006390", "007160",
    "007810", "008040", "009520", "012450", "013360", "014470", "014970", "017040", "018880", "021080", "023900",
    "025880", "025980", "030960", "032280",
}  # fmt: skip
"""Names whose day has over one percent more volume than its minutes: block and off-hours trades are in no bar."""


def broker_label(moment: str) -> str:
    """The broker's label of a bar of the file, which names the end of the minute where the broker names its start.

    The closing auction stands at 15:30 in both.
    """
    hour, minute = int(moment[11:13]), int(moment[14:16])
    if (hour, minute) != (15, 30):
        hour, minute = divmod(60 * hour + minute - 1, 60)
    return f"{hour:02d}{minute:02d}00"


def daily_row(one: dict[str, Any]) -> Row:
    return {
        "stck_bsop_date": DAY.replace("-", ""),
        "stck_clpr": str(one["종가"]),
        "stck_oprc": str(one["시가"]),
        "stck_hgpr": str(one["고가"]),
        "stck_lwpr": str(one["저가"]),
        "acml_vol": str(int(one["거래량"])),
        # the file tells no value, and nothing here compares it
        "acml_tr_pbmn": str(int(one["거래량"]) * (one["고가"] + one["저가"]) // 2),
    }


@pytest.fixture(scope="module")
def bars(real_data: Path) -> pd.DataFrame:
    return pd.read_parquet(real_data / "minute_bars" / "minute_2019-09-20_A.parquet")


@pytest.fixture(scope="module")
def warehouse(
    new_database: Callable[..., Database], real_data: Path, bars: pd.DataFrame
) -> Database:
    days = pd.read_csv(real_data / "minute_bars" / "daily_kospi599_2019-09-16_24_adjusted_2022.csv")
    days = days[days["일자"] == int(DAY.replace("-", ""))]
    daily = {one["code"][1:]: daily_row(one) for one in days.to_dict("records")}
    minutes = {
        str(code): [
            bar(
                broker_label(one["datetime"]),
                (one["open"], one["high"], one["low"], one["close"]),
                one["volume"],
                None,
                day=DAY.replace("-", ""),
            )
            for one in of_stock.sort_values("datetime", ascending=False).to_dict("records")
        ]
        for code, of_stock in bars.groupby("symbol")
    }
    names = [
        {
            "code": code, "name": f"종목{code}", "listCount": "1", "regDay": "19900101",
            "marketCode": "0", "marketName": "거래소",
        }
        for code in minutes
    ]  # fmt: skip

    def answer(asked: Asked) -> Reply:
        if asked.path == "/oauth2/tokenP":
            return Reply(TOKEN)
        if asked.path == "/oauth2/token":
            return Reply({"return_code": 0, "token": "recorded", "expires_dt": "20991231235959"})
        if asked.path == "/api/dostk/stkinfo":
            return Reply({"return_code": 0, "return_msg": "", "list": names})
        code = asked.fields["FID_INPUT_ISCD"]
        if asked.path.endswith("inquire-daily-itemchartprice"):
            return Reply(envelope([daily[code]] if code in daily else []))
        hour = asked.fields["FID_INPUT_HOUR_1"]
        return Reply(envelope([r for r in minutes[code] if r["stck_cntg_hour"] <= hour][:PAGE]))

    database = new_database()
    with replaying(answer) as replay:
        for arguments in (
            ("--source", "kiwoom", "--dataset", "stocks", "--scope", "KOSPI"),
            ("--source", "kis", "--dataset", "ohlcv_minute", "--from", DAY, "--to", DAY),
            ("--source", "kis", "--dataset", "ohlcv_daily", "--from", DAY, "--to", DAY),
        ):
            run = database.loaders(
                "load", *arguments, "--strict",
                KIS_BASE_URL=replay.base_url, KIS_APP_KEY=replay.account, KIS_APP_SECRET="secret-value",
                KIS_REQUESTS_PER_MINUTE="0", KIS_TOKEN_INTERVAL_SECONDS="0",
                KIWOOM_BASE_URL=replay.base_url, KIWOOM_APP_KEY=replay.account, KIWOOM_SECRET_KEY="secret-value",
                KIWOOM_REQUESTS_PER_MINUTE="0",
            )  # fmt: skip
            assert run.returncode == 0, run.stderr
    built = database.dbt(
        "build", "--indirect-selection", "cautious",
        "--select", "+ohlcv_minute", "+minute_days_reconciled", "minute_labels", "int_minute_bars__unioned",
    )  # fmt: skip
    assert built.returncode == 0, built.stdout
    return database


def test_every_bar_with_trades_reaches_the_mart_and_no_other(
    warehouse: Database, bars: pd.DataFrame
) -> None:
    traded = bars[bars.volume > 0]
    assert (bars.symbol.nunique(), len(bars), len(traded)) == (551, 212_076, 121_885)
    sums = ["open", "high", "low", "close", "volume"]
    (found,) = warehouse.rows(
        "select count(*), count(distinct stock_code), sum(open_price), sum(high_price), sum(low_price), sum(close_price),"
        " sum(volume) from marts.ohlcv_minute"
    )
    assert found == (
        len(traded),
        traded.symbol.nunique(),
        *(int(traded[one].sum()) for one in sums),
    )
    # the file repeats a bar for minutes without trades; its running total is told by nobody, and nothing is guessed
    assert warehouse.rows(
        "select broken_rules, count(*), count(trading_value) from intermediate.int_minute_bars__unioned group by 1 order by 1"
    ) == [("", len(traded), 0), ("NO_TRADES", len(bars) - len(traded), 0)]


def test_bars_are_labelled_by_their_start(warehouse: Database, bars: pd.DataFrame) -> None:
    traded = bars[bars.volume > 0]
    ends = traded.datetime.str[11:16]
    assert warehouse.rows(
        "select to_char(min(time) at time zone 'Asia/Seoul', 'HH24:MI'), to_char(max(time) at time zone 'Asia/Seoul', 'HH24:MI'),"
        " min(session), max(session) from marts.ohlcv_minute"
    ) == [("09:00", "15:30", "REGULAR", "REGULAR")]
    assert warehouse.rows(
        "select stock_count, opening_count, closing_count, is_shifted from quality.minute_labels"
    ) == [(traded.symbol.nunique(), (ends == "09:01").sum(), (ends == "15:30").sum(), False)]


def test_minutes_reconcile_with_the_day_but_for_the_names_that_are_listed(
    warehouse: Database,
) -> None:
    rows = warehouse.rows(
        "select stock_code, has_other_prices, has_other_volume, minute_open, daily_open, minute_high, daily_high,"
        " minute_low, daily_low, minute_close, daily_close, minute_volume, daily_volume"
        " from quality.minute_days_reconciled"
    )
    assert len(rows) == 156
    assert {str(row[0]) for row in rows if row[1]} == ADJUSTED_SINCE
    assert {str(row[0]) for row in rows if row[2] and not row[1]} == OFF_HOURS
    ratios, ratios_of_the_day = [], []
    for code, has_other_prices, _, *told in rows:
        figures = [float(str(figure)) for figure in told]
        *prices, (minute_volume, daily_volume) = zip(figures[::2], figures[1::2], strict=True)
        ratios.append(minute_volume / daily_volume)
        if has_other_prices:
            # one factor explains the four prices, and the volume by its inverse
            factors = [daily / minute for minute, daily in prices]
            assert max(factors) / min(factors) < 1.005, code
            assert daily_volume * factors[0] / minute_volume == pytest.approx(1, abs=0.11), code
        else:
            ratios_of_the_day.append(ratios[-1])
    assert max(ratios_of_the_day) <= 1, "minutes never tell more than the day"
    # medians of the file itself: of all names, and of those whose daily bar is not adjusted
    assert median(ratios) == pytest.approx(0.998027, abs=1e-6)
    assert median(ratios_of_the_day) == pytest.approx(0.999066, abs=1e-6)
