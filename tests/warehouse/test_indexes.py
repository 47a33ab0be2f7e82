"""What the README asks, on a million rows in every mart: the planner, its settings untouched, takes the index made for it."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import ROOT, Database

ROWS = 1_000_000
# rows in the shape of the market: two thousand names, codes and types as they are
FILLED = {
    "ohlcv_daily": """
        (time, stock_code, close_price, volume, trading_value, source, created_at)
        select date '2024-01-01' + number / 2000, (990000 + number % 2000)::text, 1, 1, 1, 'filled', now()
    """,
    "market_cap_daily": """
        (time, stock_code, market_cap, shares_outstanding, created_at)
        select date '2026-10-08' - number / 2000, (990000 + number % 2000)::text, number, 1, now()
    """,
    "ohlcv_minute": """
        (time, stock_code, open_price, high_price, low_price, close_price, volume, session, venue, source, is_provisional,
        created_at)
        select timestamptz '2026-09-30 09:00+09' + number / 2000 % 250 * interval '1 minute' + number / 500000 * interval '1 day',
            (990000 + number % 2000)::text, 1, 1, 1, 1, 1, 'REGULAR', 'KRX', 'filled', false, now()
    """,
    "investor_trading": """
        (time, stock_code, investor_type, net_buy_volume, net_buy_value, buy_volume, sell_volume, buy_value, sell_value,
        has_pension, source, created_at)
        select date '2026-10-08' - number / 10000, (990000 + number / 5 % 2000)::text,
            (array['FOREIGN', 'INSTITUTION', 'PENSION', 'RETAIL', 'OTHER'])[1 + number % 5], 1, number, 1, 1, 1, 1,
            true, 'filled', now()
    """,
    "stocks": """
        (stock_code, stock_name, market, listing_date, is_active, security_type, segment, created_at, updated_at)
        select to_hex(number), 'filled', (array['KOSPI', 'KOSDAQ', 'KOSDAQ', 'KONEX'])[1 + number % 4],
            date '1990-01-01' + number % 13000, true, 'COMMON', 'NONE', now(), now()
    """,
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(new_database: Callable[..., Database]) -> Iterator[Database]:
    database = new_database()
    built = database.dbt(
        "build", "--exclude-resource-type", "test", "unit_test", "snapshot",
        "--select", *(f"+{mart}" for mart in FILLED), "+report_values",
    )  # fmt: skip
    assert built.returncode == 0, built.stdout
    with database.connect() as connection:
        for month in ("09", "10"):
            after = f"2026-{int(month) + 1:02d}-01 00:00+09"
            connection.execute(
                f"create table partitions.ohlcv_minute_2026_{month} partition of marts.ohlcv_minute"
                f" for values from ('2026-{month}-01 00:00+09') to ('{after}')"
            )
        for mart, rows in FILLED.items():
            connection.execute(
                f"insert into marts.{mart} {rows} from generate_series(0, {ROWS - 1}) as number"
            )
            connection.execute(f"analyze marts.{mart}")
    yield database


def indexes_of_plan(node: dict[str, Any]) -> set[str]:
    """Names of the indexes that a plan uses."""
    found = {node["Index Name"]} if "Index Name" in node else set()
    return found.union(*(indexes_of_plan(below) for below in node.get("Plans", [])))


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        ("marts.ohlcv_daily where stock_code", "stock_code, time"),
        ("marts.ohlcv_minute where stock_code", "stock_code, time"),
        ("marts.market_cap_daily where time", "time"),
        ("marts.investor_trading where stock_code", "stock_code, time, investor_type"),
        ("marts.investor_trading where time = '2026-10-08' and investor_type", "time, investor_type"),
        ("marts.stocks where market", "market, listing_date"),
    ],
)  # fmt: skip
def test_a_query_of_the_readme_takes_the_index_made_for_it(
    filled: Database, asked: str, columns: str
) -> None:
    examples = re.findall(r"`(select [^`]+)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    (query,) = [example for example in examples if asked in example]
    assert filled.rows(query), "the rows that were filled in do not answer the question"
    ((plan,),) = filled.rows(f"explain (format json) {query}")
    used = indexes_of_plan(plan[0]["Plan"])  # type: ignore[index]
    assert used, plan
    for index in used:
        ((definition,),) = filled.rows(
            f"select pg_get_indexdef(indexrelid) from pg_stat_user_indexes where indexrelname = '{index}'"
        )
        assert str(definition).replace('"', "").endswith(f"({columns})"), definition
    # nothing is read row by row beside it
    assert "Seq Scan" not in json.dumps(plan)


def test_the_newest_rows_of_a_stock_come_from_the_key_backwards(filled: Database) -> None:
    """An index on (stock_code, time desc) would be the key's twin: PostgreSQL reads one in both directions."""
    for mart in ("ohlcv_daily", "ohlcv_minute", "market_cap_daily"):
        ((plan,),) = filled.rows(
            f"explain (format json) select * from marts.{mart} where stock_code = '990010' order by time desc limit 20"
        )
        told = json.dumps(plan)
        assert '"Scan Direction": "Backward"' in told
        assert '"Node Type": "Sort"' not in told, mart


def test_the_report_reads_its_days_and_not_all_history(filled: Database) -> None:
    """The clock's table has one row and is never analyzed: taken for a thousand it is joined behind whole marts."""

    def readings(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if node.get("Relation Name") in ("ohlcv_daily", "market_cap_daily"):
            yield node
        for below in node.get("Plans", []):
            yield from readings(below)

    ((plan,),) = filled.rows("explain (format json) select * from quality.report_values")
    found = list(readings(plan[0]["Plan"]))  # type: ignore[index]
    assert {node["Relation Name"] for node in found} == {"ohlcv_daily", "market_cap_daily"}
    for node in found:
        assert "time" in node.get("Index Cond", ""), node
