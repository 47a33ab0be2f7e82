"""What a vendor changed after the first answer: kept as it was, and told value by value.

The tests of this file are one story of one yearly file that is published five times, and run in its order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.simulator.server import Simulator
from tests.conftest import Database

MONDAY, TUESDAY = "2024-01-08", "2024-01-09"
CLOSES = {"005930": 76_500, "000660": 136_700, "035720": 56_900}
BUILD = ("build", "--exclude-resource-type", "test", "unit_test")
TOLD = (
    "--select", "+data_revisions", "+int_daily_prices__superseded", "+foreign_ownership_daily",
)  # fmt: skip


def bar(code: str, day: str, **changed: Any) -> dict[str, Any]:
    """A record of the public yearly file; every price is the close."""
    close = float(CLOSES[code])
    plain = {
        "Code": code, "Name": code, "Close": close, "Dept": None, "ChangeCode": "0", "Changes": 0.0, "ChagesRatio": 0.0,
        "Volume": 1000.0, "Amount": close * 1000, "Open": close, "High": close, "Low": close, "Marcap": close * 1000,
        "Stocks": 1_000_000, "Market": "KOSPI", "MarketId": "STK", "Rank": 1, "Date": day,
    }  # fmt: skip
    return plain | changed


@dataclass(frozen=True)
class Publisher:
    """A folder whose yearly file is rewritten, and the warehouse that reads it.

    Attributes:
        folder: where the file is.
        database: the warehouse.
        selected: what of it is built, as options of dbt; nothing for all of it.
    """

    folder: Path
    database: Database
    selected: tuple[str, ...] = ()

    def publish(self, rows: Sequence[dict[str, Any]], *options: str) -> None:
        """Write the file, load both days, build."""
        pq.write_table(pa.Table.from_pylist(list(rows)), self.folder / "marcap-2024.parquet")
        loaded = self.database.loaders(
            "load", "--source", "marcap", "--from", MONDAY, "--to", TUESDAY, "--refresh",
            MARCAP_BASE_URL=str(self.folder),
        )  # fmt: skip
        assert loaded.returncode == 0, loaded.stderr
        built = self.database.dbt(*BUILD, *self.selected, *options)
        assert built.returncode == 0, built.stdout

    def revisions(self) -> list[tuple[object, ...]]:
        """Stock, day, field, both values; rows as the fields that they hold."""
        return self.database.rows(
            "select stock_code, time::text, field, case when field = '(row)' then old_value::jsonb ->> 'close_price'"
            " else old_value end, case when field = '(row)' then new_value::jsonb ->> 'close_price' else new_value end"
            " from marts.data_revisions order by second_fetch_id, stock_code, field"
        )

    def superseded(self) -> list[tuple[object, ...]]:
        """Stock, day, number, close, whether the row was dropped."""
        return self.database.rows(
            "select stock_code, trade_date::text, answer_number, close_price::integer, was_dropped"
            " from intermediate.int_daily_prices__superseded order by trade_date, stock_code, answer_number"
        )


def both_days(*monday: dict[str, Any]) -> list[dict[str, Any]]:
    return [*monday, *(bar(code, TUESDAY) for code in CLOSES)]


def all_but(*codes: str) -> list[dict[str, Any]]:
    return [bar(code, MONDAY) for code in CLOSES if code not in codes]


@pytest.fixture(scope="module")
def publisher(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Publisher:
    return Publisher(tmp_path_factory.mktemp("files"), new_database(), TOLD)


def test_first_answers_and_answers_that_repeat_are_no_revision(publisher: Publisher) -> None:
    publisher.publish(both_days(*all_but()))
    publisher.publish(both_days(*all_but()))
    assert publisher.database.rows(
        "select status, count(*) from raw.fetch_cells where dataset = 'ohlcv_daily' group by 1 order by 1"
    ) == [("SUCCESS", 2), ("UNCHANGED", 2)]
    assert publisher.revisions() == publisher.superseded() == []


def test_a_changed_value_is_told_with_both_answers_and_the_old_row_stays(
    publisher: Publisher,
) -> None:
    publisher.publish(
        both_days(bar("005930", MONDAY, Stocks=1_000_001), *all_but("005930", "000660"),
                  bar("000660", MONDAY, Close=136_800.0, High=136_800.0))
    )  # fmt: skip
    assert publisher.revisions() == [
        ("000660", MONDAY, "base_price", "136700", "136800"),
        ("000660", MONDAY, "close_price", "136700", "136800"),
        ("000660", MONDAY, "high_price", "136700", "136800"),
        ("005930", MONDAY, "listed_shares", "1000000", "1000001"),
    ]
    # a name whose row is the same in both answers has one version
    assert publisher.superseded() == [
        ("000660", MONDAY, 1, 136_700, False),
        ("005930", MONDAY, 1, 76_500, False),
    ]
    assert publisher.database.rows(
        "select count(*) from marts.data_revisions as revisions"
        " inner join raw.fetches as first on revisions.first_fetch_id = first.fetch_id"
        " and revisions.first_fetched_at = first.fetched_at"
        " inner join raw.fetches as second on revisions.second_fetch_id = second.fetch_id"
        " and revisions.second_fetched_at = second.fetched_at"
        " where first.fetched_at < second.fetched_at"
    ) == [(4,)]
    assert publisher.database.rows(
        "select count(*) from intermediate.int_daily_prices__superseded as superseded"
        " inner join intermediate.int_daily_prices__unioned as newest using (source, stock_code, trade_date)"
        " where superseded.replaced_at = newest.fetched_at and superseded.fetched_at = newest.first_fetched_at"
    ) == [(2,)]


def test_back_to_the_old_value_is_a_second_revision_and_a_dropped_name_is_one(
    publisher: Publisher,
) -> None:
    publisher.publish(both_days(*all_but("035720")))
    assert publisher.revisions()[4:] == [
        ("000660", MONDAY, "base_price", "136800", "136700"),
        ("000660", MONDAY, "close_price", "136800", "136700"),
        ("000660", MONDAY, "high_price", "136800", "136700"),
        ("005930", MONDAY, "listed_shares", "1000001", "1000000"),
        ("035720", MONDAY, "(row)", "56900", None),
    ]
    assert publisher.superseded() == [
        ("000660", MONDAY, 1, 136_700, False),
        ("000660", MONDAY, 2, 136_800, False),
        ("005930", MONDAY, 1, 76_500, False),
        ("005930", MONDAY, 2, 76_500, False),
        ("035720", MONDAY, 1, 56_900, True),
    ]


def test_a_name_that_comes_back_is_told_too_and_a_row_that_breaks_a_rule_says_which(
    publisher: Publisher,
) -> None:
    publisher.publish(both_days(*all_but("005930"), bar("005930", MONDAY, Low=80_000.0)))
    publisher.publish(both_days(*all_but()))
    assert publisher.revisions()[9:] == [
        ("005930", MONDAY, "low_price", "76500", "80000"),
        ("035720", MONDAY, "(row)", None, "56900"),
        ("005930", MONDAY, "low_price", "80000", "76500"),
    ]
    assert publisher.database.rows(
        "select answer_number, broken_rules from intermediate.int_daily_prices__superseded"
        " where stock_code = '005930' order by 1"
    ) == [(1, ""), (2, ""), (3, ""), (4, "PRICE_ORDER")]


def test_what_was_built_day_by_day_is_what_is_built_at_once(publisher: Publisher) -> None:
    tables = ("marts.data_revisions", "intermediate.int_daily_prices__superseded")
    dump = "select array_agg(rows::text order by rows::text) from {} as rows"
    before = [publisher.database.rows(dump.format(table)) for table in tables]
    assert publisher.database.dbt(*BUILD, *TOLD, "--full-refresh").returncode == 0
    assert [publisher.database.rows(dump.format(table)) for table in tables] == before


def test_the_tables_and_the_order_of_answers_keep_their_own_tests(publisher: Publisher) -> None:
    tested = publisher.database.dbt(
        "test",
        "--select",
        "data_revisions",
        "int_daily_prices__superseded",
        "int_collection__answers",
    )
    assert tested.returncode == 0, tested.stdout


def test_flows_holdings_and_levels_that_were_unreadable_at_first_are_corrected_later(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    only = simulator.only("INFOMAX_")
    asked = {
        ("investor_trading", "990010"): ("stock/investor", "bid_volume"),
        ("foreign_ownership_daily", "990010"): ("stock/foreign", "frn_ownership_vol"),
        ("index_daily", "KOSPI200"): ("index/hist", "close_price"),
    }

    def load() -> None:
        for dataset, scope in asked:
            database.loaders(
                "load", "--source", "infomax", "--dataset", dataset, "--scope", scope, "--refresh",
                "--from", "2026-05-14", "--to", "2026-05-15", **only.environment,
            )  # fmt: skip
        built = database.dbt(*BUILD, *TOLD)
        assert built.returncode == 0, built.stdout

    for path, field in asked.values():
        simulator.plant_fault(path=path, kind="dash", field=field)
    load()
    assert database.rows("select count(*) from marts.data_revisions") == [(0,)]
    load()
    found = database.rows(
        "select dataset, stock_code, item, field, count(*), count(distinct detail), count(old_value), count(new_value)"
        " from marts.data_revisions group by 1, 2, 3, 4 order by 1"
    )
    assert found == [
        ("foreign_ownership_daily", "990010", "990010", "owned_shares", 2, 1, 0, 2),
        ("index_daily", None, "KOSPI200", "close", 2, 1, 0, 2),
        ("investor_trading", "990010", "990010", "buy_volume", 28, 14, 0, 28),
    ]
    # in the units of the marts
    assert database.rows(
        "select count(*) from marts.data_revisions as revisions"
        " inner join marts.foreign_ownership_daily as now using (time, stock_code)"
        " where revisions.field = 'owned_shares' and revisions.new_value::bigint = now.owned_shares"
    ) == [(2,)]
