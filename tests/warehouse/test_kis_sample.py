"""The broker's REST API from the simulator to the marts: minutes, corporate actions, flows, and what is asked for."""

from collections.abc import Callable
from datetime import date, datetime

import pytest

from loaders import calendar
from sandbox.simulator.market import MinuteBar, market
from sandbox.simulator.server import SEED, Simulator
from tests.conftest import Database
from tests.warehouse.minutes_by_all_rules import assert_both_readings_agree

DAY = date(2026, 10, 7)
FIRST_SESSION = date(2026, 1, 2)
KIS = ("load", "--source", "kis")


def on(day: date) -> tuple[str, ...]:
    return ("--from", str(day), "--to", str(day))


@pytest.fixture(scope="module")
def requests(simulator: Simulator) -> dict[str, dict[str, int]]:
    """What each feed asked for, by path; filled while the warehouse is loaded."""
    return {}


@pytest.fixture(scope="module")
def warehouse(
    new_database: Callable[..., Database],
    simulator: Simulator,
    requests: dict[str, dict[str, int]],
) -> Database:
    database = new_database(sample=True)

    def load(name: str, *arguments: str) -> None:
        simulator.forget_requests()
        run = database.loaders(*arguments, "--strict", **simulator.environment)
        assert run.returncode == 0, run.stderr
        requests[name] = {
            path.rsplit("/", 1)[1]: count
            for path, count in simulator.requests().items()
            if path.startswith("/kis/")
        }

    load("lists", "load", "--source", "krx", "--dataset", "stocks", *on(DAY))
    load("minutes", *KIS, "--dataset", "ohlcv_minute", *on(DAY))
    load("first", *KIS, "--dataset", "ohlcv_minute", "--scope", "990020", *on(FIRST_SESSION))
    load("flows", *KIS, "--dataset", "investor_trading", *on(DAY))
    load(
        "actions", *KIS, "--dataset", "corporate_actions", "--from", "2026-03-02", "--to", "2026-10-07",
    )  # fmt: skip
    load("holidays", *KIS, "--dataset", "trading_calendar")
    for scope in ("990010", "993010"):
        load(f"one {scope}", *KIS, "--scope", scope, *on(DAY))
    built = database.build(
        "ohlcv_minute", "corporate_actions", "investor_trading", "rejected_rows", "staging.kis"
    )
    assert built.returncode == 0, built.stdout
    return database


def told(bars: list[MinuteBar], session: str) -> list[tuple[object, ...]]:
    return [
        (bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.value, session)
        for bar in bars
    ]


def test_every_minute_of_the_market_is_in_the_mart_to_the_won(warehouse: Database) -> None:
    the_market = market(SEED)
    expected = {}
    for stock in the_market.listed(DAY):
        bars = told(the_market.minutes(stock, DAY), "REGULAR") + told(
            the_market.after_market_minutes(stock, DAY), "AFTER_MARKET"
        )
        if bars:
            expected[stock.code] = bars
    found: dict[str, list[tuple[object, ...]]] = {}
    for code, *values in warehouse.rows(
        "select stock_code, time, open_price, high_price, low_price, close_price, volume, trading_value, session"
        f" from marts.ohlcv_minute where (time at time zone 'Asia/Seoul')::date = '{DAY}'"
        " and stock_code not like '993%' order by stock_code, time"
    ):
        found.setdefault(str(code), []).append(tuple(values))
    assert found == expected


def test_the_regular_minutes_add_up_to_the_day(warehouse: Database) -> None:
    the_market = market(SEED)
    sums = warehouse.rows(
        "select stock_code, sum(volume), sum(trading_value), max(high_price), min(low_price) from marts.ohlcv_minute"
        f" where session = 'REGULAR' and (time at time zone 'Asia/Seoul')::date = '{DAY}' group by stock_code"
    )
    assert len(sums) > 40
    for code, volume, value, high, low in sums:
        security = the_market.security(str(code))
        assert security is not None
        bar = security.bars[DAY]
        assert (volume, value, high, low) == (bar.volume, bar.value, bar.high, bar.low)


def test_a_first_session_opens_at_ten_with_labels_off_the_minute(warehouse: Database) -> None:
    labels = warehouse.rows(
        "select distinct right(stck_cntg_hour, 2) from raw.kis__inquire_time_dailychartprice where stck_bsop_date = '20260102'"
    )
    assert labels == [("11",)]
    (row,) = warehouse.rows(
        "select min(time), max(time), sum(volume) from marts.ohlcv_minute"
        f" where (time at time zone 'Asia/Seoul')::date = '{FIRST_SESSION}'"
    )
    stock = market(SEED).by_code("990020")
    assert stock is not None
    assert row == (
        datetime(2026, 1, 2, 10, 0, tzinfo=calendar.KST),
        datetime(2026, 1, 2, 15, 30, tzinfo=calendar.KST),
        stock.bars[FIRST_SESSION].volume,
    )


def test_corporate_actions_have_the_ex_dates_of_the_market(warehouse: Database) -> None:
    found = warehouse.rows(
        "select stock_code, kind, ex_date, record_date, round(ratio, 2), cash_amount::integer"
        " from marts.corporate_actions where kind <> 'LISTING' order by ex_date, stock_code, kind"
    )
    renamed = {"SPLIT_OFF": "SPIN_OFF"}
    expected = [
        (
            action.stock.code,
            renamed.get(action.kind, action.kind),
            action.ex_date,
            action.record_date,
            1 if action.kind == "SPLIT_OFF" else action.ratio and round(float(action.ratio), 2),
            action.price if action.kind == "DIVIDEND" else None,
        )
        for action in market(SEED).corporate_actions
    ]
    assert [
        (code, kind, ex_date, record_date, None if ratio is None else float(str(ratio)), cash)
        for code, kind, ex_date, record_date, ratio, cash in found
    ] == sorted(expected, key=lambda row: (row[2], row[0], row[1]))


def test_flows_of_the_broker_balance_and_are_published(warehouse: Database) -> None:
    stock = market(SEED).by_code("990010")
    assert stock is not None
    bought = {leaf: flow[0] for leaf, flow in stock.flows[DAY].items()}
    assert dict(
        warehouse.rows(
            "select investor_type, buy_volume from marts.investor_trading"
            f" where stock_code = '990010' and time = '{DAY}'"
        )
    ) == {
        "RETAIL": bought["개인"],
        "PENSION": bought["연기금 등"],
        "OTHER": bought["기타법인"],
        "FOREIGN": bought["외국인"] + bought["기타외국인"],
        "INSTITUTION": sum(
            bought[leaf] for leaf in ("금융투자", "보험", "투신", "사모", "은행", "기타금융")
        ),
    }
    assert (
        warehouse.rows(
            "select rule_id, count(*) from quality.rejected_rows where dataset = 'investor_trading' group by 1"
        )
        == []
    )


def test_the_broker_and_the_calendar_agree(warehouse: Database) -> None:
    assert warehouse.rows(
        "select count(*) > 60, count(*) filter (where days.is_open <> calendar.is_session)"
        " from staging.stg_kis__chk_holiday as days"
        " inner join marts.trading_calendar as calendar on days.calendar_date = calendar.date"
    ) == [(True, 0)]


def test_shares_of_a_fund_follow_from_amount_and_price(warehouse: Database) -> None:
    fund = market(SEED).etf("993010")
    assert fund is not None
    expected = {
        holding.code: holding.shares for holding in fund.holdings(date(2026, 10, 8)) if holding.kind == "STOCK"
    }  # fmt: skip
    assert (
        dict(
            warehouse.rows(
                "select component_code, shares from staging.stg_kis__component_stock_price"
            )
        )
        == expected
    )


def test_prices_of_one_name_are_adjusted_by_the_vendor_and_facts_are_told(
    warehouse: Database,
) -> None:
    assert warehouse.rows(
        "select count(*) from staging.stg_kis__daily_itemchartprice where base_price is not null"
    ) == [(2,)]
    assert warehouse.rows(
        "select stock_name, listing_date::text from staging.stg_kis__stock_info where stock_code = '990010'"
    ) == [("표본전자", "2010-03-02")]


def test_each_feed_asks_no_more_than_it_must(
    warehouse: Database, requests: dict[str, dict[str, int]]
) -> None:
    listed = len(market(SEED).listed(DAY))
    assert requests["minutes"]["inquire-time-dailychartprice"] <= 5 * listed
    assert requests["flows"]["investor-trade-by-stock-daily"] == listed
    # a range is asked for once a month, and once more where an answer may have been cut
    assert all(count <= 9 for count in requests["actions"].values())
    assert requests["holidays"]["chk-holiday"] <= 5


def test_the_rate_is_kept_and_a_rate_error_is_asked_again(
    warehouse: Database, simulator: Simulator
) -> None:
    simulator.forget_requests()
    run = warehouse.loaders(
        *KIS, "--dataset", "investor_trading", "--refresh", "--strict", *on(date(2026, 10, 6)),
        **simulator.environment | {"KIS_REQUESTS_PER_MINUTE": "300"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    # all threads together
    assert simulator.rates()["/kis"]["peak_per_second"] <= 6


def test_a_glance_and_all_rules_say_the_same_of_minutes(warehouse: Database) -> None:
    assert_both_readings_agree(warehouse, plain_part=0.9)
