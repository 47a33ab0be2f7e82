"""Days that are wrong as a whole: held back, everything else published, and looked at again by the next run.

The tests of this file are one story of one yearly file, and run in its order.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Database

SESSIONS = [f"2024-01-{day:02}" for day in (8, 9, 10, 11, 12, 15, 16, 17, 18, 19)]
CODES = [f"{100_000 + 10 * number}" for number in range(30)]
MARTS = ("ohlcv_daily", "market_cap_daily")
# the views with all that they read: a staging view that is made again takes the views on it with it
NEEDED = ("+ohlcv_daily", "+market_cap_daily", "+held_days", "+rejected_rows", "+warned_rows")

COMPLETED = "update raw.fetch_cells set completed_at = timestamptz '{}' where collection_date = '2024-01-09'"
REJECTED = "select stock_code, trade_date::text, rule_id from quality.rejected_rows where trade_date = '2024-01-19'"

Row = dict[str, Any]
Published = dict[tuple[object, object], tuple[object, ...]]


def bar(code: str, day: str) -> Row:
    number, session = CODES.index(code), SESSIONS.index(day)
    close, volume = 10_000 + 100 * number + 10 * session, 1_000 + number + 7 * session
    return {
        "Code": code, "Name": code, "Close": float(close), "Dept": None, "ChangeCode": "0", "Changes": 0.0,
        "ChagesRatio": 0.0, "Volume": float(volume), "Amount": float(close * volume), "Open": float(close),
        "High": float(close), "Low": float(close), "Marcap": float(close * 1_000_000), "Stocks": 1_000_000,
        "Market": "KOSPI", "MarketId": "STK", "Rank": 1, "Date": day,
    }  # fmt: skip


@dataclass
class Publisher:
    """A yearly file that is rewritten session by session, and the warehouse that reads it."""

    folder: Path
    database: Database
    days: dict[str, list[Row]] = field(default_factory=dict)
    options: tuple[str, ...] = ("--refresh",)

    def load(self, **days: Iterable[Row]) -> None:
        """Change sessions of the file and load it."""
        self.days |= {
            day.removeprefix("on_").replace("_", "-"): list(rows) for day, rows in days.items()
        }
        rows = [row for day in sorted(self.days) for row in self.days[day]]
        pq.write_table(pa.Table.from_pylist(rows), self.folder / "marcap-2024.parquet")
        loaded = self.database.loaders(
            "load", "--source", "marcap", "--from", SESSIONS[0], "--to", SESSIONS[-1], *self.options,
            MARCAP_BASE_URL=str(self.folder),
        )  # fmt: skip
        assert loaded.returncode == 0, loaded.stderr

    def build(self, but: str = "seed") -> tuple[int, str]:
        """Build models and run the alarm; what a test has written into a seed stays."""
        built = self.database.dbt(
            "build", "--select", *NEEDED, "--indirect-selection", "cautious",
            *("--exclude-resource-type", but, "unit_test"),
        )  # fmt: skip
        return built.returncode, built.stdout

    def published(self) -> Published:
        """Rows and checksum of every mart and session."""
        return {
            (mart, day): tuple(values)
            for mart in MARTS
            for day, *values in self.database.rows(
                "select time::text, count(*), md5(string_agg(bars::text, '' order by stock_code))"
                f" from marts.{mart} as bars group by 1"
            )
        }

    def differences(self, before: Published) -> set[object]:
        """Sessions that are not published as they were."""
        now = self.published()
        return {key[1] for key in now | before if now.get(key) != before.get(key)}

    def held(self) -> list[tuple[object, ...]]:
        """Day and gate of what is held."""
        return self.database.rows(
            "select trade_date::text, gate from quality.held_days order by trade_date, gate"
        )


@pytest.fixture(scope="module")
def publisher(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Publisher:
    made = Publisher(tmp_path_factory.mktemp("files"), new_database())
    made.days = {day: [bar(code, day) for code in CODES] for day in SESSIONS}
    return made


@pytest.fixture(scope="module")
def states() -> dict[str, Published]:
    """What was published, by name."""
    return {}


def on(day: str) -> list[Row]:
    return [bar(code, day) for code in CODES]


def changed(day: str, **factors: float) -> list[Row]:
    return [row | {name: row[name] * factor for name, factor in factors.items()} for row in on(day)]


def test_good_days_are_published_and_none_is_held(
    publisher: Publisher, states: dict[str, Published]
) -> None:
    publisher.load()
    status, told = publisher.build(but="snapshot")
    assert status == 0, told
    assert publisher.held() == []
    states["good"] = publisher.published()
    assert {rows for rows, _ in states["good"].values()} == {len(CODES)}
    assert publisher.database.rows(
        "select distinct gate from quality.gates where dataset = 'ohlcv_daily' order by 1"
    ) == [
        (gate,)
        for gate in (
            "CALENDAR", "MARKET_CAP_UNIT", "NULL_SHARE", "PRICE_UNIT", "PROVISIONAL", "ROW_COUNT", "SHARES_UNIT",
            "STALE_COPY", "VALUE_UNIT",
        )
    ]  # fmt: skip


def test_each_wrong_day_is_held_by_its_gate_and_the_last_good_rows_stay(
    publisher: Publisher, states: dict[str, Published]
) -> None:
    yesterday = [row | {"Date": "2024-01-10"} for row in on("2024-01-09")]
    missing = [
        row | {"Volume": None} if number % 2 else row for number, row in enumerate(on("2024-01-12"))
    ]
    corrected = [row | {"High": row["High"] + 10} for row in on("2024-01-19")]
    corrected[0] |= {"Amount": corrected[0]["Amount"] * 100}
    publisher.load(
        on_2024_01_10=yesterday,
        on_2024_01_11=on("2024-01-11")[:15],
        on_2024_01_12=missing,
        on_2024_01_15=changed("2024-01-15", Amount=1000),
        on_2024_01_16=changed("2024-01-16", Stocks=1000, Marcap=1000),
        on_2024_01_17=changed("2024-01-17", Marcap=0.001),
        on_2024_01_18=changed(
            "2024-01-18", Close=10, Open=10, High=10, Low=10, Amount=10, Marcap=10
        ),
        on_2024_01_19=corrected,
    )
    publisher.database.execute(COMPLETED.format("2024-01-09 11:00+09"))
    status, told = publisher.build()
    assert status == 1
    assert publisher.held() == [
        ("2024-01-09", "PROVISIONAL"),
        ("2024-01-10", "STALE_COPY"),
        ("2024-01-11", "ROW_COUNT"),
        ("2024-01-12", "NULL_SHARE"),
        ("2024-01-15", "VALUE_UNIT"),
        ("2024-01-16", "SHARES_UNIT"),
        ("2024-01-17", "MARKET_CAP_UNIT"),
        ("2024-01-18", "PRICE_UNIT"),
    ]
    # the log of the run names day, source, gate, value and limit, and says what to do
    assert (
        "ohlcv_daily of 2024-01-11 from marcap is held back: ROW_COUNT is 0.5000, limits 0.9 to -"
        in told
    )
    assert "reviewed_exceptions.csv" in told
    # the day that is right is published, less the row that is not
    states["held"] = publisher.published()
    assert publisher.database.rows(REJECTED) == [(CODES[0], "2024-01-19", "VALUE_WRONG_UNIT")]
    assert publisher.differences(states["good"]) == {"2024-01-19"}
    assert states["held"]["ohlcv_daily", "2024-01-19"][0] == len(CODES) - 1


def test_a_review_a_limit_and_a_late_confirmation_publish_without_a_new_answer(
    publisher: Publisher, states: dict[str, Published]
) -> None:
    publisher.database.execute(
        "insert into seeds.reviewed_exceptions values"
        " ('ohlcv_daily', 'marcap', null, '2024-01-11', null, 'ROW_COUNT', 'kim', '2024-02-01', 'half', 'notice'),"
        f" ('daily_prices', 'marcap', '{CODES[0]}', '2024-01-19', null, 'VALUE_WRONG_UNIT', 'kim', '2024-02-01', 'so', 'x');"
        "update seeds.gate_limits set lowest = 0.0001 where gate = 'MARKET_CAP_UNIT';"
        + COMPLETED.format("2024-01-09 19:00+09")
    )
    publisher.build()
    assert [day for day, _ in publisher.held()] == [
        f"2024-01-{day}" for day in (10, 12, 15, 16, 18)
    ]
    assert publisher.differences(states["held"]) == {"2024-01-11", "2024-01-19"}
    now = publisher.published()
    assert now["ohlcv_daily", "2024-01-11"][0] == 15
    assert now["ohlcv_daily", "2024-01-19"][0] == len(CODES)
    assert publisher.database.rows(REJECTED) == []
    assert publisher.database.rows(
        "select stock_code, rule_id, review from quality.warned_rows where review is not null"
    ) == [(CODES[0], "VALUE_WRONG_UNIT", "published by review of kim on 2024-02-01: so (x)")]


def test_a_review_that_is_withdrawn_takes_its_row_back(
    publisher: Publisher, states: dict[str, Published]
) -> None:
    publisher.database.execute("delete from seeds.reviewed_exceptions where stock_code is not null")
    publisher.build()
    assert publisher.database.rows(REJECTED) == [(CODES[0], "2024-01-19", "VALUE_WRONG_UNIT")]
    assert publisher.differences(states["held"]) == {"2024-01-11"}


def test_a_full_refresh_does_not_lose_what_a_held_day_was(publisher: Publisher) -> None:
    refresh = ("run", "--full-refresh", "--select", *MARTS)
    before = publisher.published()
    refused = publisher.database.dbt(*refresh)
    assert refused.returncode != 0
    told = " ".join(refused.stdout.split())
    assert (
        "would lose what gates hold as it was last good: market_cap_daily 2024-01-10, market_cap_daily 2024-01-12"
        in told
    )
    assert "--vars 'full_refresh_loses_held_days: true'" in told
    assert publisher.published() == before
    # a refused run is none: the next one does not wait for it
    decided = publisher.database.dbt(*refresh, "--vars", "full_refresh_loses_held_days: true")
    assert decided.returncode == 0, decided.stdout
    assert publisher.differences(before) == {day for day, _ in publisher.held()}


def test_good_answers_release_every_day(publisher: Publisher, states: dict[str, Published]) -> None:
    publisher.load(**{f"on_{day.replace('-', '_')}": on(day) for day in SESSIONS})
    status, told = publisher.build()
    assert status == 0, told
    assert publisher.held() == []
    assert publisher.published() == states["good"]


def test_a_back_filled_session_shows_that_the_one_after_it_is_its_copy(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    late = Publisher(tmp_path, new_database(), options=())
    late.days = {day: on(day) for day in SESSIONS[1:]}
    late.load(on_2024_01_09=[row | {"Date": "2024-01-09"} for row in on("2024-01-08")])
    assert late.build(but="snapshot")[0] == 0
    assert ("ohlcv_daily", "2024-01-09") in late.published()
    late.load(on_2024_01_08=on("2024-01-08"))
    late.build()
    assert late.held() == [("2024-01-09", "STALE_COPY")]
    right = late.published()
    assert {day for _, day in right} == {*SESSIONS} - {"2024-01-09"}
    assert late.database.dbt("run", "--full-refresh", "--select", *MARTS).returncode == 0
    assert late.published() == right


def test_a_back_filled_session_shows_that_shares_of_a_later_one_are_in_another_unit(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    late = Publisher(tmp_path, new_database(), options=())
    late.load(on_2024_01_11=changed("2024-01-11", Stocks=1_000, Marcap=1_000))
    assert late.build(but="snapshot")[0] == 0
    assert ("market_cap_daily", "2024-01-11") in late.published()
    # three sessions before it: the two between have not come yet
    late.load(on_2024_01_08=on("2024-01-08"))
    late.build()
    assert late.held() == [("2024-01-11", "SHARES_UNIT")]
    right = late.published()
    assert {day for _, day in right} == {"2024-01-08"}
    assert late.database.dbt("run", "--full-refresh", "--select", *MARTS).returncode == 0
    assert late.published() == right
