"""Weeks, months, running flows and longer minutes against pandas, and what a late correction reaches."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.conftest import Database
from tests.loaders.test_kis_minutes import Row, Vendor, bar, load

FLOW_MARTS = ("investor_trading_weekly", "investor_trading_monthly", "investor_trading_cumulative")
KEY = ["stock_code", "investor_type"]
WINDOWS = (5, 20, 60)
# not there although the exchange was open: nobody collected them
NOT_COLLECTED = {date(2025, 3, 12), date(2025, 8, 29)}


def run(database: Database, *arguments: str) -> None:
    done = database.dbt("run", *arguments)
    assert done.returncode == 0, done.stdout


def frame(database: Database, query: str) -> pd.DataFrame:
    with database.connect() as connection:
        cursor = connection.execute(query)
        assert cursor.description is not None
        return pd.DataFrame(
            cursor.fetchall(), columns=[column.name for column in cursor.description]
        )


def same(found: pd.DataFrame, expected: pd.DataFrame, keys: list[str]) -> None:
    """Both hold the same rows, whatever their order and the width of their integers."""
    assert len(found) > 0
    pd.testing.assert_frame_equal(
        found.sort_values(keys).reset_index(drop=True),
        expected[found.columns].sort_values(keys).reset_index(drop=True),
        check_dtype=False,
    )


class Flows:
    """A warehouse whose investor_trading is written by hand, with the ledger and the progress that belong to it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        seeded = database.dbt("seed")
        assert seeded.returncode == 0, seeded.stdout
        run(database, "--select", "+investor_trading", "trading_calendar")
        self.calendar = frame(
            database, "select date, session_number from marts.trading_calendar where is_session"
        )

    def sessions(self, first: str, last: str) -> list[date]:
        days = [day for day in self.calendar.date if first <= str(day) <= last]
        return [day for day in days if day not in NOT_COLLECTED]

    def collect(self, days: list[date], seed: int) -> None:
        """Flows of four stocks: one without pension, one that is suspended at times, one that is listed in May 2025."""
        random = np.random.default_rng(seed)
        with self.database.connect() as connection, connection.transaction():
            for day in days:
                connection.execute("delete from marts.investor_trading where time = %s", [day])
                for stock in ("005930", "000660", "001140", "457550"):
                    absent = stock == "001140" and random.random() < 0.3
                    if absent or (stock == "457550" and day < date(2025, 5, 14)):
                        continue
                    pension = stock != "000660" or day >= date(2025, 6, 4)
                    names = ["FOREIGN", "INSTITUTION", "RETAIL", "OTHER"] + ["PENSION"] * pension
                    nets = random.integers(-(10**9), 10**9, (len(names), 2))
                    nets[0] -= nets.sum(axis=0)  # what is bought is sold
                    for name, (volume, value) in zip(names, nets.tolist(), strict=True):
                        connection.execute(
                            "insert into marts.investor_trading values"
                            " (%s, %s, %s, %s, %s, %s, 0, %s, 0, %s, 'infomax', %s)",
                            [day, stock, name, volume, value, volume, value, pension, f"{day} 19:00+09"],
                        )  # fmt: skip
                connection.execute(
                    "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status,"
                    " started_at, completed_at) select coalesce(max(attempt_id), 0) + 1, 'infomax', 'investor_trading',"
                    " '005930', %s, 'SUCCESS', now(), now() from raw.fetch_cells",
                    [day],
                )
            connection.execute(
                "update ops.build_progress set ledger_id = (select max(ledger_id) from raw.fetch_cells)"
                " where model = 'model.korean_market_warehouse.investor_trading'"
            )

    def build(self, *options: str) -> None:
        run(self.database, "--select", *FLOW_MARTS, *options)

    def rows(self) -> pd.DataFrame:
        return frame(self.database, "select * from marts.investor_trading")

    def checksums(self) -> list[list[tuple[object, ...]]]:
        return [
            self.database.rows(
                f"select count(*), md5(string_agg(md5(t::text), '' order by md5(t::text))) from marts.{mart} as t"
            )
            for mart in FLOW_MARTS
        ]

    def written(self, mart: str, column: str) -> dict[str, str]:
        """Transaction that wrote the rows of each day."""
        return dict(
            self.database.rows(
                f"select {column}::text, max(xmin::text) from marts.{mart} group by 1"
            )  # type: ignore[arg-type]
        )

    def check(self) -> None:
        """All three marts against pandas over the rows of investor_trading."""
        self._check_periods("week", "investor_trading_weekly")
        self._check_periods("month", "investor_trading_monthly")
        self._check_running()

    def _check_periods(self, period: str, mart: str) -> None:
        def first(days: "pd.Series[date]") -> "pd.Series[date]":
            return (
                pd.to_datetime(days)
                .dt.to_period("W-SUN" if period == "week" else "M")
                .dt.start_time.dt.date
            )

        flows = self.rows().assign(**{period: lambda rows: first(rows.time)})
        expected = flows.groupby([period, *KEY], as_index=False).agg(
            volume=("net_buy_volume", "sum"), value=("net_buy_value", "sum"), session_count=("time", "nunique"),
            created_at=("created_at", "min"),
        )  # fmt: skip
        pension = flows.groupby([period, "stock_code"])["has_pension"].all()
        expected["has_pension"] = pension.loc[
            pd.MultiIndex.from_frame(expected[[period, "stock_code"]])
        ].to_numpy()
        in_calendar = first(self.calendar.date).value_counts()
        collected = flows.groupby(period).time.nunique()
        expected["is_complete"] = [collected[day] == in_calendar[day] for day in expected[period]]
        found = frame(self.database, f"select * from marts.{mart}")
        found.columns = found.columns.str.replace(
            f"net_buy_(volume|value)_{period}ly", r"\1", regex=True
        )
        same(found, expected, [period, *KEY])

    def _check_running(self) -> None:
        flows = self.rows().merge(self.calendar, left_on="time", right_on="date")
        found = frame(self.database, "select * from marts.investor_trading_cumulative")
        assert len(found) == len(flows)
        # rows of every session for every stock and type, nothing where there was no row
        numbers = range(flows.session_number.min(), flows.session_number.max() + 1)
        for measure, of in (
            ("net_buy_volume", "sum"),
            ("net_buy_value", "sum"),
            ("session_count", "count"),
        ):
            column = "net_buy_value" if of == "count" else measure
            wide = flows.pivot(index="session_number", columns=KEY, values=column).reindex(numbers)
            wide = wide.notna().astype("int64") if of == "count" else wide.fillna(0).astype("int64")
            years = pd.to_datetime(
                self.calendar.set_index("session_number").date[wide.index]
            ).dt.year
            sums = {f"{n}_sessions": wide.rolling(n, min_periods=1).sum() for n in WINDOWS}
            sums["year_to_date"] = wide.groupby(years.to_numpy()).cumsum()
            day_of = self.calendar.set_index("session_number").date
            for name, table in sums.items():
                long = table.stack(KEY, future_stack=True).rename("expected").reset_index()
                long["time"] = day_of[long.session_number].to_numpy()
                both = found.merge(long, on=["time", *KEY], how="left")
                wrong = both[both[f"{measure}_{name}"] != both.expected]
                assert wrong.empty, (measure, name, wrong.head())


@pytest.fixture(scope="module")
def flows(new_database: Callable[..., Database]) -> Flows:
    flows = Flows(new_database())
    flows.collect(flows.sessions("2024-09-02", "2025-12-29"), seed=1)
    flows.build()
    return flows


def test_flows_of_periods_and_running_flows_are_what_pandas_sums(flows: Flows) -> None:
    flows.check()
    # 2024-12-30 and 31 belong to the week that ends in January; the market is closed on the 31st
    assert flows.database.rows(
        "select distinct week::text, is_complete from marts.investor_trading_weekly"
        " where week between '2024-12-23' and '2025-01-06' order by 1"
    ) == [("2024-12-23", True), ("2024-12-30", True), ("2025-01-06", True)]


def test_a_new_day_makes_its_week_and_month_again_and_no_other_row(flows: Flows) -> None:
    before = {
        mart: flows.written(mart, day)
        for mart, day in zip(FLOW_MARTS, ("week", "month", "time"), strict=True)
    }
    flows.collect(flows.sessions("2025-12-30", "2025-12-30"), seed=2)
    flows.build()
    for mart, column, changed in (
        ("investor_trading_weekly", "week", {"2025-12-29"}),
        ("investor_trading_monthly", "month", {"2025-12-01"}),
        ("investor_trading_cumulative", "time", {"2025-12-30"}),
    ):
        after = flows.written(mart, column)
        assert {day for day, by in after.items() if before[mart].get(day) != by} == changed, mart
    flows.check()


def test_a_late_correction_reaches_its_periods_and_every_session_that_looks_back_at_it(
    flows: Flows,
) -> None:
    flows.collect(flows.sessions("2026-01-02", "2026-02-27"), seed=3)
    flows.build()
    before = flows.written("investor_trading_cumulative", "time")
    # to the end of its year, and over New Year by sixty sessions
    corrected = date(2025, 12, 11)
    flows.collect([corrected], seed=4)
    flows.build()
    after = flows.written("investor_trading_cumulative", "time")
    assert min(day for day, by in after.items() if before[day] != by) == str(corrected)
    assert [day for day, by in after.items() if day >= "2025-12-11" and before[day] == by] == []
    flows.check()
    # early in a year: all the year, and nothing of the next one
    flows.collect(flows.sessions("2025-02-03", "2025-02-04"), seed=5)
    flows.build()
    changed = {
        day
        for day, by in flows.written("investor_trading_cumulative", "time").items()
        if after[day] != by
    }
    assert (min(changed), max(changed)) == ("2025-02-03", "2025-12-30")
    assert len(changed) == len(flows.sessions("2025-02-03", "2025-12-31"))
    flows.check()
    # a session that was missing comes, and completes its week
    NOT_COLLECTED.discard(date(2025, 3, 12))
    flows.collect([date(2025, 3, 12)], seed=6)
    flows.build()
    flows.check()


def test_an_incremental_build_equals_a_full_refresh(flows: Flows) -> None:
    stepwise = flows.checksums()
    flows.build("--full-refresh")
    assert flows.checksums() == stepwise
    tested = flows.database.dbt("test", "--select", *FLOW_MARTS)
    assert tested.returncode == 0, tested.stdout


def test_a_build_without_news_writes_nothing(flows: Flows) -> None:
    before = [flows.written(*of) for of in zip(FLOW_MARTS, ("week", "month", "time"), strict=True)]
    flows.build()
    assert before == [
        flows.written(*of) for of in zip(FLOW_MARTS, ("week", "month", "time"), strict=True)
    ]


@pytest.fixture(scope="module")
def bars(new_database: Callable[..., Database], real_data: Path) -> Database:
    """Two Januaries of the whole market."""
    database = new_database()
    loaded = database.loaders(
        "load", "--source", "marcap", "--from", "2023-01-01", "--to", "2024-12-31",
        MARCAP_BASE_URL=str(real_data / "daily_krx_raw_marcap"),
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    seeded = database.dbt("seed")
    assert seeded.returncode == 0, seeded.stdout
    run(database, "--select", "+ohlcv_weekly", "+ohlcv_monthly")
    return database


@pytest.mark.parametrize(("mart", "period"), [("ohlcv_weekly", "week"), ("ohlcv_monthly", "month")])
def test_real_bars_of_periods_are_what_pandas_makes_of_the_files(
    bars: Database, real_data: Path, mart: str, period: str
) -> None:
    files = sorted((real_data / "daily_krx_raw_marcap").glob("*.parquet"))
    columns = ["Code", "Date", "Open", "High", "Low", "Close", "Volume", "Amount"]
    rows = pd.concat([pq.read_table(file, columns=columns).to_pandas() for file in files])
    rows["time"] = pd.to_datetime(rows["Date"])
    rows[period] = rows.time.dt.to_period(
        "W-SUN" if period == "week" else "M"
    ).dt.start_time.dt.date
    rows = rows.sort_values(["Code", "time"])
    traded = rows[rows.Open > 0]
    by = ["Code", period]
    expected = rows.groupby(by).agg(
        kept=("Close", "last"), volume=("Volume", "sum"), trading_value=("Amount", "sum"), session_count=("time", "count"),
    )  # fmt: skip
    expected = expected.join(
        traded.groupby(by).agg(
            open_price=("Open", "first"), high_price=("High", "max"), low_price=("Low", "min"),
            close_price=("Close", "last"), traded_session_count=("time", "count"),
        )
    )  # fmt: skip
    expected["close_price"] = expected.close_price.fillna(expected.kept)
    expected["traded_session_count"] = expected.traded_session_count.fillna(0)
    found = frame(bars, f"select * from marts.{mart}").rename(columns={"stock_code": "Code"})
    same(
        found[[*by, "open_price", "high_price", "low_price", "close_price", "volume", "trading_value",
               "session_count", "traded_session_count"]].astype({"open_price": float, "high_price": float, "low_price": float}),
        expected.reset_index(), by,
    )  # fmt: skip


@pytest.mark.parametrize(("mart", "period"), [("ohlcv_weekly", "week"), ("ohlcv_monthly", "month")])
def test_adjusted_columns_are_those_of_the_adjusted_days(
    bars: Database, mart: str, period: str
) -> None:
    days = frame(bars, "select * from marts.ohlcv_daily_adjusted").sort_values(
        ["stock_code", "time"]
    )
    days[period] = (
        pd.to_datetime(days.time)
        .dt.to_period("W-SUN" if period == "week" else "M")
        .dt.start_time.dt.date
    )
    by = ["stock_code", period]
    prices = ["open_price", "high_price", "low_price", "close_price", "volume"]
    days[prices] = days[prices].astype(float)
    expected = days.groupby(by).agg(
        adjusted_open_price=("open_price", "first"), adjusted_high_price=("high_price", "max"),
        adjusted_low_price=("low_price", "min"), adjusted_volume=("volume", "sum"),
        known=("adjustment_factor", "count"), sessions=("time", "count"),
    )  # fmt: skip
    columns = [column for column in expected if str(column).startswith("adjusted")]
    expected.loc[expected.known < expected.sessions, columns] = np.nan
    found = frame(bars, f"select * from marts.{mart}")
    found[columns] = found[columns].astype(float)
    same(found[[*by, *columns]], expected.reset_index(), by)
    # 358570 gave a share for a share on Friday 2024-01-19: what was before it in the period is halved, the close is not
    assert bars.rows(
        "select adjusted_open_price < open_price * 0.6, adjusted_high_price < high_price, adjusted_close_price = close_price"
        f" from marts.{mart} where stock_code = '358570' and {period} in ('2024-01-15', '2024-01-01')"
        " order by 3 desc, 1 desc limit 1"
    ) == [(True, True, True)]


@pytest.mark.parametrize("window", ["10", "all"])
def test_dbt_s_own_tests_pass_on_real_bars(bars: Database, window: str) -> None:
    tested = bars.dbt(
        "test", "--select", "ohlcv_weekly", "ohlcv_monthly", "int_ohlcv_weekly__aggregated",
        "int_ohlcv_monthly__aggregated", "--vars", f"test_window_days: {window}",
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "WARN=0 ERROR=0" in tested.stdout


def test_one_new_factor_changes_adjusted_weeks_without_a_row_being_written(bars: Database) -> None:
    adjusted = (
        "select week::text, adjusted_open_price, adjusted_volume from marts.ohlcv_weekly"
        " where stock_code = '005930' and week = '2024-01-08'"
    )
    ((_, opened, volume),) = bars.rows(adjusted)
    written = (
        "select xmin::text, ctid::text from intermediate.int_ohlcv_weekly__aggregated order by 2"
    )
    before = bars.rows(written)
    bars.rows(
        "insert into intermediate.int_adjustment_factors__spans values"
        " ('005930', '2024-01-01', '2024-03-04', 0.5) returning 1"
    )
    assert bars.rows(adjusted) == [("2024-01-08", opened / 2, volume * 2)]  # type: ignore[operator]
    assert bars.rows(written) == before


def test_real_minutes_make_longer_bars(
    new_database: Callable[..., Database], real_data: Path
) -> None:
    table = pq.read_table(real_data / "minute_bars" / "minute_2019-09-20_A.parquet")
    minutes = table.filter(pc.equal(table["symbol"], "005930")).to_pandas()
    # the file names the end of the minute, the broker its start
    minutes["time"] = pd.to_datetime(minutes.datetime).dt.tz_localize(None) - pd.Timedelta(
        minutes=1
    )
    rows: list[Row] = []
    total = 0
    for one in minutes.to_dict("records"):
        total += int(one["close"] * one["volume"])
        prices = (int(one["open"]), int(one["high"]), int(one["low"]), int(one["close"]))
        rows.append(bar(f"{one['time']:%H%M}00", prices, int(one["volume"]), total, day="20190920"))
    database = new_database()
    assert load(database, Vendor(rows), "005930", day="2019-09-20").returncode == 0
    seeded = database.dbt("seed")
    assert seeded.returncode == 0, seeded.stdout
    longer = (5, 15, 30, 60)
    run(database, "--select", *(f"+ohlcv_minute_{length}" for length in longer))
    traded = minutes[minutes.volume > 0].set_index("time")
    traded["value"] = traded.close * traded.volume
    for length in longer:
        expected = traded.resample(f"{length}min").agg(
            open_price=("open", "first"), high_price=("high", "max"), low_price=("low", "min"),
            close_price=("close", "last"), volume=("volume", "sum"), trading_value=("value", "sum"),
            minute_count=("volume", "count"),
        )  # fmt: skip
        expected = expected[expected.minute_count > 0].reset_index()
        found = frame(
            database,
            "select time at time zone 'Asia/Seoul' as time, open_price, high_price, low_price, close_price, volume,"
            f" trading_value, minute_count from marts.ohlcv_minute_{length} where trade_date = '2019-09-20'",
        )
        expected["time"] = expected.time.astype(found.time.dtype)
        same(found, expected, ["time"])
        ((plan,),) = database.rows(
            f"explain (format json) select * from marts.ohlcv_minute_{length} where trade_date = '2019-09-20'"
        )
        assert "Asia/Seoul" in str(plan)  # the days' bounds reach the scan of the minutes
