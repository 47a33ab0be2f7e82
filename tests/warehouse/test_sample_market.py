"""From the simulator over HTTP through loaders and dbt to the marts, and what a second run changes."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database
from tests.warehouse.test_manifest import manifest

DAYS = ("--from", "2026-04-20", "--to", "2026-05-20")
MARTS = (
    "stocks", "trading_calendar", "ohlcv_daily", "market_cap_daily", "investor_trading", "investor_trading_detail",
    "data_collection_logs",
)  # fmt: skip

AS_OF_MARTS = ("stocks_history", "stock_universe_daily")


@pytest.fixture(scope="module")
def simulator(simulator: Simulator) -> Simulator:
    """The first source of daily data and one to fall back on: what is shown here needs no more of them."""
    return simulator.only("INFOMAX_", "KRX_OPENAPI_")


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    database = new_database(sample=True)
    loaded = database.loaders("load", *DAYS, **simulator.environment)
    assert loaded.returncode == 0, loaded.stderr
    built = database.dbt("build")
    assert built.returncode == 0, built.stdout
    return database


def checksums(database: Database) -> dict[str, tuple[object, ...]]:
    return {
        mart: database.rows(
            f"select count(*), md5(string_agg(md5(t::text), '' order by md5(t::text))) from marts.{mart} as t"
        )[0]
        for mart in MARTS
    }


def test_documented_columns_are_the_columns_of_every_relation(warehouse: Database) -> None:
    found: dict[tuple[object, object], list[object]] = defaultdict(list)
    for schema, table, column in warehouse.rows(
        "select table_schema, table_name, column_name from information_schema.columns order by ordinal_position"
    ):
        found[schema, table].append(column)
    nodes = [
        node
        for node in manifest()["nodes"].values()
        if node["resource_type"] in ("model", "seed")
        and node["config"]["materialized"] != "ephemeral"
    ]
    for node in [*nodes, *manifest()["sources"].values()]:
        name = node.get("alias") or node["identifier"]
        assert sorted(node["columns"]) == sorted(found[node["schema"], name]), name


def test_a_bar_is_what_the_market_says_to_the_won(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select time, stock_code, coalesce(open_price, 0), coalesce(high_price, 0), coalesce(low_price, 0),"
        " close_price, base_price, volume, trading_value from marts.ohlcv_daily"
    )
    found = {(day, code): tuple(values) for day, code, *values in rows}
    expected = {
        (day, stock.code): (b.open, b.high, b.low, b.close, b.base, b.volume, b.value)
        for stock in (*market(SEED).stocks, *market(SEED).etfs)
        for day, b in stock.bars.items()
        if "2026-04-20" <= str(day) <= "2026-05-20"
    }
    assert found == expected


def test_a_split_leaves_raw_prices_alone_and_shows_in_the_base_price(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select bars.time::text, bars.open_price, bars.volume, bars.close_price, bars.base_price, caps.shares_outstanding"
        " from marts.ohlcv_daily as bars inner join marts.market_cap_daily as caps using (time, stock_code)"
        " where stock_code = '990010' and time between '2026-04-29' and '2026-04-30' order by time"
    )
    suspended, reopened = rows
    assert suspended[1] is None
    assert suspended[2] == 0
    assert reopened[4] == pytest.approx(int(str(suspended[3])) / 50, rel=0.001)
    assert int(str(reopened[5])) == 50 * int(str(suspended[5]))


def test_flows_of_five_types_add_up_and_pension_is_outside_institution(warehouse: Database) -> None:
    stock = market(SEED).by_code("990020")
    assert stock is not None
    day = next(day for day in stock.flows if str(day) == "2026-05-06")
    leaves = stock.flows[day]
    rows = warehouse.rows(
        "select investor_type, buy_volume, sell_volume, buy_value from marts.investor_trading"
        f" where stock_code = '990020' and time = '{day}'"
    )
    found = {name: (bought, sold) for name, bought, sold, _ in rows}
    institutions = ("금융투자", "보험", "투신", "사모", "은행", "기타금융")
    assert found == {
        "PENSION": leaves["연기금 등"][:2],
        "INSTITUTION": tuple(sum(leaves[name][side] for name in institutions) for side in (0, 1)),
        "FOREIGN": tuple(leaves["외국인"][side] + leaves["기타외국인"][side] for side in (0, 1)),
        "RETAIL": leaves["개인"][:2],
        "OTHER": leaves["기타법인"][:2],
    }
    # thousand won at the vendor: each of the vendor's rows may lose up to one thousand
    for name, _, _, value in rows:
        true_value = {"RETAIL": leaves["개인"][2], "OTHER": leaves["기타법인"][2]}.get(str(name))
        if true_value is not None:
            assert 0 <= true_value - int(str(value)) < 1000


def test_konex_comes_from_the_exchange_because_the_vendor_lacks_it(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select source, count(*) from marts.ohlcv_daily as bars inner join marts.stocks using (stock_code)"
        " where market = 'KONEX' group by source"
    )
    assert [source for source, _ in rows] == ["krx"]


def test_a_stock_that_changes_its_market_is_one_active_stock(warehouse: Database) -> None:
    rows = warehouse.rows("select market, is_active from marts.stocks where stock_code = '991010'")
    assert rows == [("KOSPI", True)]


def test_a_delisted_name_stays_in_the_master_with_its_day(warehouse: Database) -> None:
    rows = warehouse.rows(
        "select is_active, delisting_date::text from marts.stocks where stock_code = '991050'"
    )
    assert rows == [(False, "2026-07-20")]


def test_every_test_of_the_run_stands_in_the_quality_mart(warehouse: Database) -> None:
    # without a broker's word nobody says what kind of action moved a base price
    assert warehouse.rows(
        "select table_name, check_type, details ->> 'status' from marts.data_quality_checks"
        " where details ->> 'status' <> 'pass' order by 1"
    ) == [
        ("adjustment_factors", "CONSISTENCY_CHECK", "warn"),
        ("base_price_breaks", "CONSISTENCY_CHECK", "warn"),
        # a month at once: its snapshots wait for the command that walks the dates
        ("snapshot_dates_waiting", "COMPLETENESS_CHECK", "warn"),
    ]
    ((count,),) = warehouse.rows("select count(*) from marts.data_quality_checks")
    assert int(str(count)) >= 25


# the month lies months before the clock of the sample market
WIDE_REPORT = (
    "run",
    "--select",
    "path:models/quality/report",
    "--vars",
    "{report_days: 200, report_sessions: 130}",
)


def told(value: object) -> str:
    """A value as the report writes it, as far as these views hold such values."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "예 yes" if value else "아니오 no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def test_the_report_holds_the_figures_of_its_views_and_opens_without_a_network(
    warehouse: Database, tmp_path: Path
) -> None:
    assert warehouse.dbt(*WIDE_REPORT).returncode == 0
    written = warehouse.report(tmp_path / "report.html")
    assert written.returncode == 0, written.stderr
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(
        r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(|<script|<link|<iframe""",
        text,
        re.IGNORECASE,
    )
    page = BeautifulSoup(text, "html.parser")
    assert "표본 시장" in text
    for view in (
        "collection",
        "completeness",
        "values",
        "rows_by_rule",
        "missing",
        "disagreements",
        "revisions",
    ):
        section = page.find(id=f"report_{view}")
        assert section is not None, view
        names = [cell.text for cell in section.find_all("th")]
        columns = ", ".join(names) or "*"
        rows = [[cell.text for cell in line.find_all("td")] for line in section.find_all("tr")[1:]]
        found = warehouse.rows(f"select {columns} from quality.report_{view}")
        assert (
            sorted(rows) == sorted([[told(value) for value in row] for row in found])[:200]
            or len(found) > 200
        ), view
        assert (
            found or "None" in section.text or "Nothing" in section.text or "No " in section.text
        ), view
    for view in ("collection", "completeness", "checks", "lateness"):
        assert page.find(id=f"report_{view}").find("svg") is not None, view
    # against the ledger itself, not only against the view
    assert warehouse.rows(
        "select sum(success_count) from quality.report_collection where dataset = 'ohlcv_daily' and source = 'krx'"
    ) == warehouse.rows(
        "select count(distinct (scope, collection_date)) from raw.fetch_cells"
        " where dataset = 'ohlcv_daily' and source = 'krx' and status in ('SUCCESS', 'UNCHANGED')"
    )
    assert warehouse.rows(
        "select present_count from quality.report_completeness"
        " where dataset = 'ohlcv_daily' and trade_date = '2026-05-06'"
    ) == warehouse.rows("select count(*) from marts.ohlcv_daily where time = '2026-05-06'")
    cards = {
        card.find(class_="english").contents[-1].strip(): card
        for card in page.find_all(class_="card")
    }
    assert "백필만" in cards["ohlcv_daily"].text
    assert "데이터 없음" in cards["ohlcv_minute"].text


@pytest.mark.parametrize(
    ("what_happens", "verdict"),
    [
        ("select 1", "NOT_WATCHED"),
        ("delete from marts.investor_trading where time = '2026-05-06' and stock_code < '990300'", "INCOMPLETE"),
        ("delete from marts.investor_trading where time >= '2026-05-18'", "HELD"),
        # as if the last days had been loaded after the last build
        (
            "delete from marts.investor_trading where time >= '2026-05-18'; update ops.build_progress set ledger_id ="
            " (select min(ledger_id) - 1 from raw.fetch_cells where dataset = 'investor_trading')"
            " where model like '%.investor_trading'",
            "NOT_BUILT",
        ),
        # as if a day that is there had been loaded again, with other values
        (
            "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status, started_at, completed_at)"
            " select attempt_id, source, dataset, scope, collection_date, 'SUCCESS', started_at, completed_at"
            " from raw.fetch_cells where dataset = 'investor_trading' and collection_date = '2026-05-06'",
            "NOT_BUILT",
        ),
        (
            "insert into marts.data_collection_logs (id, data_type, collection_date, source, scope, status, records_count,"
            " started_at, completed_at, created_at, ledger_id) values (0, 'investor_trading', '2026-05-06', 'infomax',"
            " '990010', 'FAILED', 0, now(), now(), now(), 1000000000)",
            "FAILED",
        ),
        # a vendor that tells its latest list alone cannot be asked for the one that failed: the next one mends it
        (
            "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status, started_at, completed_at)"
            " values (1, 'infomax', 'investor_trading', 'ALL', '2026-05-06', 'FAILED', now(), now()),"
            " (2, 'infomax', 'investor_trading', 'ALL', '2026-05-07', 'UNCHANGED', now(), now());"
            " insert into marts.data_collection_logs (id, data_type, collection_date, source, scope, status, records_count,"
            " started_at, completed_at, created_at, ledger_id) select ledger_id, dataset, collection_date, source, scope,"
            " status, 0, now(), now(), now(), ledger_id from raw.fetch_cells where attempt_id in (1, 2) and scope = 'ALL'",
            "NOT_WATCHED",
        ),
        # as if the month had been asked for day by day, and the vendor had gone silent after it
        (
            "update ops.warehouse set sample_now = '2026-05-29 20:30+09'; update raw.fetch_cells"
            " set started_at = '2026-05-29 20:00+09', completed_at = '2026-05-29 20:00+09' where dataset = 'investor_trading'",
            "LATE",
        ),
        ("delete from raw.fetch_cells where dataset = 'investor_trading'", "NO_DATA"),
    ],
)  # fmt: skip
def test_the_verdict_names_the_gravest_thing_that_is_wrong(
    warehouse: Database, what_happens: str, verdict: str
) -> None:
    with warehouse.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute(what_happens)
        found = connection.execute(
            "select verdict from quality.report_verdicts where dataset = 'investor_trading'"
        ).fetchone()
    assert found == (verdict,)


def test_a_second_load_and_build_change_nothing(warehouse: Database, simulator: Simulator) -> None:
    before, fetches = checksums(warehouse), warehouse.rows("select count(*) from raw.fetches")
    assert warehouse.loaders("load", *DAYS, **simulator.environment).returncode == 0
    assert warehouse.dbt("build").returncode == 0
    assert warehouse.rows("select count(*) from raw.fetches") == fetches
    assert checksums(warehouse) == before


def test_an_incremental_build_equals_a_full_one(
    new_database: Callable[..., Database], simulator: Simulator, warehouse: Database
) -> None:
    stepwise = new_database(sample=True)
    # out of order on purpose: the stock master must be right whatever day came last
    for days in (
        ("2026-05-08", "2026-05-20"),
        ("2026-04-20", "2026-04-30"),
        ("2026-05-01", "2026-05-07"),
    ):
        assert (
            stepwise.loaders(
                "load", "--from", days[0], "--to", days[1], **simulator.environment
            ).returncode
            == 0
        )
        assert stepwise.build(*MARTS, *AS_OF_MARTS, "snapshot_dates_waiting").returncode == 0
    timeless = {
        "ohlcv_daily": "time, stock_code, open_price, close_price, base_price, volume, source",
        "market_cap_daily": "time, stock_code, market_cap, shares_outstanding",
        "investor_trading": "time, stock_code, investor_type, buy_volume, sell_value",
    }
    for mart, columns in timeless.items():
        query = f"select {columns} from marts.{mart} order by 1, 2, 3"
        assert stepwise.rows(query) == warehouse.rows(query), mart
    versions = (
        "select source, stock_code, list_date, is_listed, vendor_market, stock_name"
        " from intermediate.int_stocks__versioned where source = 'krx' order by 1, 2, 3"
    )
    assert stepwise.rows(versions) == warehouse.rows(versions)

    # what is told of knowledge time must not depend on how often it was built
    told = {
        mart: stepwise.rows(f"select * from marts.{mart} order by 1, 2, 3, 4")
        for mart in AS_OF_MARTS
    }
    assert all(told.values())
    rebuilt = stepwise.dbt(
        "run", "--full-refresh", "--select", "int_stocks__list_states+", "int_stocks__priced_states+",
        "int_daily_prices__superseded+",
    )  # fmt: skip
    assert rebuilt.returncode == 0, rebuilt.stdout
    for mart, rows in told.items():
        assert stepwise.rows(f"select * from marts.{mart} order by 1, 2, 3, 4") == rows, mart
    universe = "select time, stock_code, market, close_price, market_cap, is_kospi200 from marts.stock_universe_daily"
    assert set(stepwise.rows(universe)) == set(warehouse.rows(universe))


def test_a_row_that_breaks_a_rule_is_kept_out_with_its_reason(
    warehouse: Database, simulator: Simulator
) -> None:
    universe = (
        "select * from marts.stock_universe_daily where time = '2026-05-19' order by stock_code"
    )
    before = warehouse.rows(universe)
    assert {row[-2] for row in before} == {"infomax", "krx"}, "KONEX names come from the exchange"
    # one name of which the exchange counts a share more than the vendor does
    warehouse.execute(
        "update raw.krx__stk_bydd_trd set acc_trdvol = (replace(acc_trdvol, ',', '')::bigint + 1)::text"
        " where bas_dd = '20260519' and isu_cd = '990020'"
    )
    simulator.plant_fault(path="stock/info", kind="dash", field="close_price", times=1)
    loaded = warehouse.loaders(
        "load", "--source", "infomax", "--dataset", "ohlcv_daily", "--from", "2026-05-19", "--to", "2026-05-19",
        "--refresh", **simulator.environment,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    assert (
        warehouse.build("stock_universe_daily", "rejected_rows", "vendor_disagreements").returncode
        == 0
    )
    # as known on that evening: neither the broken row nor the one that mends it changes what was believed then
    assert warehouse.rows(universe) == before
    rules = warehouse.rows(
        "select distinct rule_id from quality.rejected_rows"
        " where dataset = 'daily_prices' and trade_date = '2026-05-19'"
    )
    assert rules == [("VALUE_MISSING",)]
    # the exchange's own row takes the place of the vendor's broken one; funds were asked for apart, and are good
    assert warehouse.rows(
        "select stock_code like '9930%', array_agg(distinct source) from marts.ohlcv_daily"
        " where time = '2026-05-19' group by 1 order by 1"
    ) == [(False, ["krx"]), (True, ["infomax"])]
    told = (
        "select dataset, stock_code, time::text, field, published_source, other_source, difference::integer"
        " from marts.vendor_disagreements"
    )
    assert warehouse.rows(told) == [], "a rejected row is compared with nothing"
    again = warehouse.loaders(
        "load", "--source", "infomax", "--dataset", "ohlcv_daily", "--from", "2026-05-19", "--to", "2026-05-19",
        "--refresh", **simulator.environment,
    )  # fmt: skip
    assert again.returncode == 0
    assert (
        warehouse.build("stock_universe_daily", "rejected_rows", "vendor_disagreements").returncode
        == 0
    )
    assert warehouse.rows(
        "select count(*) from quality.rejected_rows where dataset = 'daily_prices'"
    ) == [(0,)]
    assert ("infomax",) in warehouse.rows(
        "select distinct source from marts.ohlcv_daily where time = '2026-05-19'"
    )
    # the vendor's word is published again, and the exchange's other one stands beside it
    assert warehouse.rows(told) == [
        ("ohlcv_daily", "990020", "2026-05-19", "volume", "infomax", "krx", 1)
    ]


def test_a_failed_cell_is_published_around_and_reported_until_it_comes(
    warehouse: Database, simulator: Simulator
) -> None:
    day = (
        "load", "--source", "krx", "--dataset", "ohlcv_daily", "--from", "2026-05-20", "--to", "2026-05-20",
        "--scope", "KOSPI", "--refresh",
    )  # fmt: skip
    simulator.plant_fault(path="stk_bydd_trd", kind="truncate", times=1)
    warehouse.loaders(*day, **simulator.environment)
    built = warehouse.build("ohlcv_daily", "recent_attempts")
    assert built.returncode == 1
    assert "no_failed_cells" in built.stdout
    assert warehouse.rows(
        "select count(*) > 0 from marts.ohlcv_daily where time = '2026-05-20'"
    ) == [(True,)]
    assert warehouse.loaders(*day, **simulator.environment).returncode == 0
    assert warehouse.build("ohlcv_daily", "recent_attempts").returncode == 0


def test_a_list_that_failed_is_no_alarm_once_a_later_one_has_come(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    lists = ("load", "--source", "infomax", "--dataset", "stocks")
    simulator.plant_fault(path="stock/code", kind="truncate", times=1)
    database.loaders(*lists, **simulator.environment)
    failed = database.build("recent_attempts")
    assert failed.returncode == 1
    assert "no_failed_cells" in failed.stdout
    # the vendor tells its list of today alone: what failed yesterday cannot be asked for any more
    with database.connect() as connection:
        connection.execute("update ops.warehouse set sample_now = '2026-10-12 20:30+09'")
    assert database.loaders(*lists, **simulator.environment).returncode == 0
    built = database.build("recent_attempts")
    assert built.returncode == 0, built.stdout
