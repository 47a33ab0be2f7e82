"""What a table is made of besides its own dataset, and comes late.

The calendar's closures and hours, the bars behind flows, the lists of stocks, the sessions before the first one.
"""

from collections.abc import Callable

import pytest

from sandbox.simulator.server import Simulator
from tests.conftest import Database

MARTS = (
    "ohlcv_weekly", "ohlcv_monthly", "ohlcv_daily_adjusted", "adjustment_factors", "investor_trading",
    "investor_trading_detail", "investor_trading_weekly", "investor_trading_monthly", "investor_trading_cumulative",
)  # fmt: skip
CLOSURE = "2026-10-05"
SEEDS_AS_THEY_ARE = ("--exclude-resource-type", "seed", "unit_test")


def built(database: Database, *options: str, marts: tuple[str, ...] = MARTS) -> None:
    """Build marts to a good end."""
    done = database.build(*marts, options=options)
    assert done.returncode == 0, done.stdout[-3000:]


def contents(
    database: Database, tables: tuple[str, ...] = MARTS, schema: str = "marts"
) -> dict[str, object]:
    """Rows of tables as one number each, beside how many there are."""
    return {
        table: database.rows(
            f"select count(*), sum(hash_record_extended(rows.*, 0)::numeric) from {schema}.{table} as rows"
        )[0]
        for table in tables
    }


def loaded(database: Database, simulator: Simulator, *options: str) -> None:
    done = database.loaders("load", *options, **simulator.environment)
    assert done.returncode == 0, done.stderr


def test_a_closure_that_the_calendar_learns_late_reaches_every_table(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    loaded(database, simulator.only("INFOMAX_"), "--from", "2026-09-21", "--to", "2026-10-08")
    assert database.dbt("seed").returncode == 0
    database.execute(
        f"delete from seeds.trading_calendar_exceptions where exception_date = '{CLOSURE}'"
    )
    built(database, *SEEDS_AS_THEY_ARE)
    # of the session that nobody has collected, as far as is known, and of the days before the first one
    reasons = "select ex_date::text from marts.adjustment_factors where reason = 'MISSING_SESSION' group by 1 order by 1"
    assert database.rows(reasons) == [("2026-09-21",), ("2026-10-06",)]
    wrong = contents(database)

    built(database)
    right = contents(database)
    assert right != wrong
    assert database.rows(reasons) == [("2026-09-21",)]
    built(database, "--full-refresh")
    assert contents(database) == right
    days = database.rows("select day::text from ops.calendar_changes order by 1")
    assert days == [(CLOSURE,), ("2026-10-06",)]


def test_hours_that_the_calendar_learns_late_reach_the_minutes(
    new_database: Callable[..., Database], simulator: Simulator
) -> None:
    database = new_database(sample=True)
    day = "2026-10-01"
    for source, dataset in (("infomax", "stocks"), ("kis", "ohlcv_minute")):
        loaded(
            database, simulator.only("INFOMAX_", "KIS_"),
            "--source", source, "--dataset", dataset, "--from", day, "--to", day,
        )  # fmt: skip
    assert database.dbt("seed").returncode == 0
    database.execute(
        "insert into seeds.trading_calendar_exceptions"
        " (exception_date, exception_kind, opens_at, closes_at, reason_ko, reason_en)"
        f" values ('{day}', 'LATE_OPEN', '10:00', '15:30', '오보', 'wrong')"
    )
    minutes = ("ohlcv_minute",)
    built(database, *SEEDS_AS_THEY_ARE, marts=minutes)
    first = "select to_char(min(time at time zone 'Asia/Seoul'), 'HH24:MI') from marts.ohlcv_minute"
    assert database.rows(first) == [("10:00",)]
    built(database, marts=minutes)
    assert database.rows(first) == [("09:00",)]
    right = contents(database, minutes)
    built(database, "--full-refresh", marts=minutes)
    assert contents(database, minutes) == right


@pytest.mark.parametrize("where", ["code = '990010'", "true"], ids=["a stock", "the whole market"])
def test_flows_that_the_bars_of_their_day_refute_later_are_published_no_longer(
    new_database: Callable[..., Database], simulator: Simulator, where: str
) -> None:
    database = new_database(sample=True)
    only = simulator.only("INFOMAX_")
    flows = tuple(mart for mart in MARTS if mart.startswith("investor"))
    span = ("--source", "infomax", "--from", "2026-10-07", "--to", "2026-10-08")
    for dataset in ("stocks", "investor_trading"):
        loaded(database, only, *span, "--dataset", dataset)
    values = database.rows(
        "select attname::text from pg_attribute where attrelid = 'raw.infomax__stock_investor'::regclass"
        " and attname like '%\\_value' and attnum > 0"
    )
    thousandths = ", ".join(f"{name} = round({name}::numeric / 1000)::text" for (name,) in values)
    database.execute(f"update raw.infomax__stock_investor set {thousandths} where {where}")
    built(database, marts=flows)
    before = contents(database, flows)

    # an attempt that failed brings no news of the flows
    database.execute(
        "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status, started_at, completed_at)"
        " select 1000000, 'infomax', 'investor_trading', 'ALL', day::date, 'FAILED', now(), now()"
        " from generate_series('2026-10-07'::timestamp, '2026-10-08'::timestamp, '1 day') as day"
    )
    loaded(database, only, *span, "--dataset", "ohlcv_daily")
    built(database, marts=flows)
    right = contents(database, flows)
    assert all(right[mart] != before[mart] for mart in flows)
    published = database.rows(
        "select count(*) from intermediate.int_investor_trading__unioned as flows inner join marts.investor_trading as mart"
        " on mart.stock_code = flows.stock_code and mart.time = flows.trade_date where flows.is_held_back"
    )
    assert published == [(0,)]
    built(database, "--full-refresh", marts=flows)
    assert contents(database, flows) == right


@pytest.fixture
def put_aside(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    """A warehouse whose ledger has been put aside whole: `given` brings parts of it."""
    database = new_database(sample=True)
    for dataset in ("stocks", "index_list", "index_components", "etf_portfolios", "ohlcv_daily"):
        loaded(
            database, simulator.only("INFOMAX_"),
            "--source", "infomax", "--dataset", dataset, "--from", "2026-09-28", "--to", "2026-10-08",
        )  # fmt: skip
    database.execute(
        "create table public.aside as table raw.fetch_cells; delete from raw.fetch_cells"
    )
    return database


def given(database: Database, which: str) -> None:
    """Bring the cells for which a condition holds into the ledger, as if they came now."""
    ((columns,),) = database.rows(
        "select string_agg(attname, ', ') from pg_attribute"
        " where attrelid = 'raw.fetch_cells'::regclass and attnum > 1 and not attisdropped"
    )
    database.execute(
        f"insert into raw.fetch_cells ({columns}) select {columns} from public.aside where {which} order by ledger_id"
    )


def test_lists_that_come_after_what_they_explain_reach_it(put_aside: Database) -> None:
    database = put_aside
    marts = ("index_components", "etf_portfolios", "adjustment_factors")
    tables = ("int_index_members__unioned", "int_index_members__versioned")

    def state() -> dict[str, object]:
        return contents(database, marts) | contents(database, tables, "intermediate")

    given(database, "dataset not in ('stocks', 'ohlcv_daily')")
    built(database, marts=marts)
    unknown = (
        "select count(*) > 0 from intermediate.int_index_members__unioned where broken_rules <> ''"
    )
    funds = "select count(*) > 0 from marts.etf_portfolios where component_type = 'ETF'"
    assert database.rows(unknown) == [(True,)]
    assert database.rows(funds) == [(False,)]

    for dataset in ("ohlcv_daily", "stocks"):
        given(database, f"dataset = '{dataset}'")
        built(database, marts=marts)
    assert database.rows(unknown) == [(False,)]
    assert database.rows(funds) == [(True,)]
    right = state()
    again = "select model from ops.build_progress where cardinality(rebuilt_days) > 0"
    built(database, marts=marts)
    assert database.rows(again) == []
    built(database, "--full-refresh", marts=marts)
    assert state() == right


def test_a_fund_is_judged_as_one_once_a_list_says_so(put_aside: Database) -> None:
    database = put_aside
    marts = ("adjustment_factors",)
    kind = "select kind from marts.adjustment_factors where stock_code = '993010' and ex_date = '2026-10-07'"
    # a payout that is larger than any tick, of a fund that was taken for a stock
    database.execute(
        "update raw.infomax__stock_info set base_price = (base_price::integer - 1500)::text"
        " where code = '993010' and date = '20261007';"
        " update raw.fetches set request = request || '{\"type\": \"ST\"}' where endpoint = 'stock/code'"
        " and request ->> 'type' = 'EF'"
    )
    given(database, "dataset in ('stocks', 'ohlcv_daily')")
    built(database, marts=marts)
    assert database.rows(kind) != [("DISTRIBUTION",)]

    database.execute(
        "update raw.fetches set request = request || '{\"type\": \"EF\"}' where endpoint = 'stock/code'"
        " and fetch_id in (select _fetch_id from raw.infomax__stock_code where equity_type = 'EF')"
    )
    given(database, "dataset = 'stocks'")
    built(database, marts=marts)
    assert database.rows(kind) == [("DISTRIBUTION",)]
    right = contents(database, marts)
    again = "select model from ops.build_progress where cardinality(rebuilt_days) > 0"
    built(database, marts=marts)
    assert database.rows(again) == []
    built(database, "--full-refresh", marts=marts)
    assert contents(database, marts) == right


def test_a_list_of_stocks_with_wrong_markets_keeps_no_members_out_when_it_is_corrected(
    put_aside: Database,
) -> None:
    database = put_aside
    marts = ("index_components",)
    tables = ("int_index_members__unioned",)

    def state() -> dict[str, object]:
        return contents(database, marts) | contents(database, tables, "intermediate")

    database.execute(
        "create table public.true_markets as select code, market from raw.infomax__stock_code;"
        " update raw.infomax__stock_code set market = '코스닥'"
    )
    given(database, "dataset in ('stocks', 'index_components')")
    built(database, marts=marts)
    held = "select distinct index_name from intermediate.int_index_members__unioned where broken_rules <> ''"
    assert database.rows(held) == [("KOSPI200",)]

    database.execute(
        "update raw.infomax__stock_code as told set market = known.market"
        " from public.true_markets as known where told.code = known.code"
    )
    given(database, "dataset = 'stocks'")
    built(database, marts=marts)
    assert database.rows(held) == []
    right = state()
    built(database, "--full-refresh", marts=marts)
    assert state() == right


def test_a_name_that_a_day_lacks_is_missed_no_longer_when_its_delisting_comes(
    put_aside: Database,
) -> None:
    database = put_aside
    day = "2026-10-08"
    # listed until the day, which lacks it, as its delisting does until later
    database.execute(
        "delete from raw.infomax__stock_info where code = '990010' and date = '20261008'"
    )
    given(database, "dataset in ('stocks', 'ohlcv_daily')")
    marts = ("ohlcv_daily", "missing_rows")

    def built_and_missed() -> list[tuple[object, ...]]:
        built(database, marts=marts)
        return database.rows("select stock_code, trade_date::text from quality.missing_rows")

    assert built_and_missed() == [("990010", day)]
    database.execute(
        "insert into raw.fetches (fetch_id, source, endpoint, request, fetched_at, row_count, byte_count)"
        f" values (9000001, 'infomax', 'stock/expired', '{{}}', '{day} 21:00+09', 1, 0);"
        " insert into raw.infomax__stock_expired (isin, code, market_type, equity_type, kr_name, listed_date, delisted_date,"
        " _fetch_id, _row_number, _dlt_load_id)"
        " select isin, code, market, equity_type, kr_name, listed_date, '20261008', 9000001, 0, _dlt_load_id"
        " from raw.infomax__stock_code where code = '990010' limit 1;"
        " insert into raw.fetch_cells"
        " (attempt_id, source, dataset, scope, collection_date, status, fetch_id, started_at, completed_at)"
        f" values (9000001, 'infomax', 'delisted_stocks', '2026', '{day}', 'SUCCESS', 9000001, now(), now())"
    )
    assert built_and_missed() == []
    built(database, "--full-refresh", marts=marts)
    assert database.rows("select * from quality.missing_rows") == []


def test_a_first_session_is_none_when_earlier_ones_come(put_aside: Database) -> None:
    database = put_aside
    marts = ("adjustment_factors",)
    # a stock that lacks two sessions, the first of those that are there at first among them
    database.execute(
        "delete from raw.infomax__stock_hist where code = '990010' and date in ('20261001', '20261002');"
        " delete from raw.infomax__stock_info where code = '990010' and date in ('20261001', '20261002')"
    )
    reason = "select reason from marts.adjustment_factors where stock_code = '990010' and ex_date = '2026-10-06'"
    given(database, "dataset = 'ohlcv_daily' and collection_date >= '2026-10-01'")
    built(database, marts=marts)
    assert database.rows(reason) == [("FIRST_SESSION",)]
    given(database, "dataset = 'ohlcv_daily' and collection_date < '2026-10-01'")
    built(database, marts=marts)
    assert database.rows(reason) == [("NO_PREVIOUS_CLOSE",)]
    right = contents(database, marts)
    built(database, "--full-refresh", marts=marts)
    assert contents(database, marts) == right


def test_a_table_of_an_older_version_takes_in_the_column_by_which_it_looks_again(
    put_aside: Database,
) -> None:
    database = put_aside
    marts = ("index_components", "adjustment_factors")
    tables = ("int_index_members__unioned", "int_adjustment_factors__computed")
    markets = [
        f"select market, count(*) from intermediate.{table} group by 1 order by 1"
        for table in tables
    ]
    given(database, "true")
    built(database, marts=marts)
    right = [database.rows(query) for query in markets]
    for table in tables:
        database.execute(f"alter table intermediate.{table} drop column market cascade")
    built(database, marts=marts)
    built(database, marts=marts)
    assert [database.rows(query) for query in markets] == right
    again = "select model from ops.build_progress where cardinality(rebuilt_days) > 0"
    built(database, marts=marts)
    assert database.rows(again) == []
