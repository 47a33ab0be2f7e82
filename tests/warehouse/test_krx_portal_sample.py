"""Every feed of the data portal and of the public site from the sample market, against what the Open API tells of it."""

from collections.abc import Callable

import pytest

from sandbox.simulator.server import Simulator
from tests.conftest import Database

DAYS = ("--from", "2026-04-27", "--to", "2026-04-30")  # 990010 is suspended, then split
FEEDS = (
    ("stocks",), ("security_codes",), ("etf_list",), ("delisted_stocks",), ("trading_calendar",),
    ("ohlcv_daily", *DAYS), ("index_components", *DAYS), ("sectors", *DAYS), ("foreign_ownership_daily", *DAYS),
    ("etf_portfolios", *DAYS), ("investor_trading", *DAYS, "--scope", "KOSPI"),
    ("investor_trading", *DAYS, "--scope", "990020"),
)  # fmt: skip


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    made = new_database(sample=True)
    # the exchange's other services fill the same cells first
    others = ("KRX_OPENAPI_KEY", "KRX_INDEX_BASE_URL")
    portal_alone = {n: v for n, v in simulator.environment.items() if n not in others}
    for dataset, *options in FEEDS:
        run = made.loaders(
            "load", "--source", "krx", "--dataset", dataset, "--strict", *options, **portal_alone
        )
        assert run.returncode == 0, run.stderr
    built = made.build(
        "stocks", "ohlcv_daily", "investor_trading", "etf_portfolios", "foreign_ownership_daily", "index_components",
        "int_calendar__disputed", "staging.krx",
    )  # fmt: skip
    assert built.returncode == 0, built.stdout
    return made


def test_the_portal_tells_the_same_prices_as_the_open_api(
    database: Database, simulator: Simulator
) -> None:
    # under names of its own, so that both ways stand beside each other
    run = database.loaders(
        "load", "--source", "krx", "--dataset", "ohlcv_daily", "--refresh", *DAYS, **simulator.environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    database.dbt("run", "--select", "stg_krx__portal_daily_prices", "stg_krx__stk_bydd_trd")
    columns = (
        "stock_code, trade_date, stock_name, vendor_market, open_price, high_price, low_price, close_price,"
        " base_price, volume, trading_value, listed_shares, vendor_market_cap"
    )
    (row,) = database.rows(
        f"select count(*) from (select {columns} from staging.stg_krx__stk_bydd_trd"
        f" intersect select {columns} from staging.stg_krx__portal_daily_prices) as both_ways"
    )
    assert (row,) == tuple(database.rows("select count(*) from staging.stg_krx__stk_bydd_trd"))
    assert int(str(row[0])) > 0


def test_a_suspension_and_a_split_are_published(database: Database) -> None:
    assert (
        database.rows(
            "select volume = 0, num_nulls(open_price, high_price, low_price), base_price = close_price"
            " from marts.ohlcv_daily where stock_code = '990010' and time < '2026-04-30' order by time"
        )
        == [(True, 3, True)] * 3
    )
    assert database.rows(
        "select volume > 0 from marts.ohlcv_daily where stock_code = '990010' and time = '2026-04-30'"
    ) == [(True,)]


def test_a_delisted_stock_has_the_exchange_s_reason(database: Database) -> None:
    ((reason, is_active, market),) = database.rows(
        "select delisting_reason, is_active, market from marts.stocks where stock_code = '991050'"
    )
    assert reason
    assert (is_active, market) == (False, "KOSDAQ")
    assert database.rows(
        "select count(*) from staging.stg_krx__portal_delisted where length(stock_code) = 8"
    ) > [(0,)]
    assert database.rows("select count(*) from marts.stocks where length(stock_code) <> 6") == [
        (0,)
    ]
    assert database.rows(
        "select count(*) from marts.stocks where is_active and delisting_reason is not null"
    ) == [(0,)]


def test_the_exchange_s_closures_are_the_calendar_s(database: Database) -> None:
    assert database.rows("select count(*) > 10 from staging.stg_krx__open_holidays") == [(True,)]
    assert database.rows("select * from intermediate.int_calendar__disputed") == []


def test_flows_of_one_stock_agree_between_the_two_screens(database: Database) -> None:
    for side in ("buy", "sell"):
        for measure in ("volume", "value"):
            assert (
                database.rows(
                    f"select flows.trade_date, labels.investor_code from staging.stg_krx__portal_investor_type as flows"
                    " inner join seeds.krx_investor_labels as labels on flows.vendor_investor = labels.vendor_label"
                    " inner join staging.stg_krx__portal_stock_investor_types as types"
                    " on flows.stock_code = types.stock_code and flows.trade_date = types.trade_date"
                    f" and types.side = '{side.upper()}' and types.measure = '{measure.upper()}'"
                    " inner join seeds.krx_investor_labels as type_labels"
                    " on types.vendor_investor = type_labels.vendor_label"
                    " and type_labels.investor_code = labels.investor_code"
                    f" where flows.{side}_{measure} <> types.amount"
                )
                == []
            )
    assert database.rows(
        "select count(distinct trade_date), count(distinct vendor_investor)"
        " from staging.stg_krx__portal_stock_investor_types where stock_code = '990020'"
    ) == [(4, 12)]
    assert database.rows(
        "select count(distinct time), count(*), sum(net_buy_volume) from marts.investor_trading where stock_code = '990020'"
    ) == [(4, 20, 0)]


@pytest.mark.parametrize(
    ("mart", "condition"),
    [
        ("etf_portfolios", "etf_code = '993010' and base_date = '2026-04-30'"),
        ("foreign_ownership_daily", "stock_code = '990010' and time = '2026-04-30'"),
        ("index_components", "index_name = 'KOSPI200' and stock_code = '990010'"),
    ],
)
def test_what_the_portal_tells_reaches_the_mart(
    database: Database, mart: str, condition: str
) -> None:
    ((rows,),) = database.rows(f"select count(*) from marts.{mart} where {condition}")
    assert int(str(rows)) > 0


@pytest.mark.parametrize(
    ("view", "condition"),
    [
        ("index_members", "index_name in ('KOSPI200', 'KOSDAQ150')"),
        ("industries", "classification = 'KRX' and sector_name <> ''"),
        ("foreign_ownership", "owned_shares <= limit_shares and ownership_ratio <= 100"),
        ("etf_portfolios", "etf_code ~ '^9930' and base_date = '2026-04-30'"),
        ("etfs", "isin like 'KR7%'"),
        ("stocks", "listed_shares > 0"),
        ("listed_codes", "isin like '%00_' or isin is not null"),
    ],
)
def test_every_list_is_in_staging_in_good_shape(
    database: Database, view: str, condition: str
) -> None:
    ((rows, good),) = database.rows(
        f"select count(*), count(*) filter (where {condition}) from staging.stg_krx__portal_{view}"
    )
    assert int(str(rows)) > 0
    assert rows == good


def test_a_session_that_ends_is_opened_again(database: Database, simulator: Simulator) -> None:
    simulator.plant_fault(path="getJsonData", kind="logout", after=1)
    run = database.loaders(
        "load", "--source", "krx", "--dataset", "foreign_ownership_daily", "--strict", "--refresh",
        "--from", "2026-04-30", "--to", "2026-04-30", **simulator.environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "unchanged=3" in run.stderr
