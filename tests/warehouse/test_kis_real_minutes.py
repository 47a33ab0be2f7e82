"""Real minute bars of one stock in the broker's shape, through loader and dbt, against figures counted in the file itself."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.conftest import Database
from tests.loaders.test_kis_minutes import Row, Vendor, bar, load

DAY = "2019-09-20"


def test_real_bars_reach_the_mart_and_repeated_ones_without_trades_do_not(
    new_database: Callable[..., Database], real_data: Path
) -> None:
    table = pq.read_table(real_data / "minute_bars" / "minute_2019-09-20_A.parquet")
    bars = table.filter(pc.equal(table["symbol"], "005930")).to_pylist()
    rows: list[Row] = []
    total = 0
    for one in bars:
        # the file names the end of the minute, the broker its start
        hour, minute = int(one["datetime"][11:13]), int(one["datetime"][14:16]) - 1
        hour, minute = (hour, minute) if minute >= 0 else (hour - 1, 59)
        total += one["close"] * one["volume"]
        prices = (one["open"], one["high"], one["low"], one["close"])
        rows.append(bar(f"{hour:02d}{minute:02d}00", prices, one["volume"], total, day="20190920"))
    database = new_database()
    run = load(database, Vendor(rows), "005930", day=DAY)
    assert run.returncode == 0, run.stderr
    built = database.build("ohlcv_minute", "rejected_rows")
    assert built.returncode == 0, built.stdout
    traded = [one for one in bars if one["volume"]]
    (found,) = database.rows(
        "select count(*), sum(volume), sum(trading_value), max(high_price), min(low_price) from marts.ohlcv_minute"
    )
    assert found == (
        len(traded),
        sum(one["volume"] for one in traded),
        total,
        max(one["high"] for one in traded),
        min(one["low"] for one in traded),
    )
    assert database.rows(
        "select rule_id, count(*) from quality.rejected_rows where dataset = 'minute_bars' group by 1"
    ) == [("NO_TRADES", len(bars) - len(traded))]
