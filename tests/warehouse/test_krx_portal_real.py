"""Recorded answers of the exchange's data portal, replayed over HTTP: every row and field through loader, raw and staging."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from loaders.contracts import raw_tables
from tests.conftest import Database
from tests.replayed_portal import ReplayedPortal, replayed_portal

RECORDED = "vendor_raw/krx_mdc"
# what the portal's own feeds ask for in the recorded words; everything else is asked for as a named screen
BY_FEED = (
    ("ohlcv_daily", "2021-01-04", "2021-01-04", "ALL"),
    ("ohlcv_daily", "2021-01-22", "2021-01-22", "KOSPI"),
    ("ohlcv_daily", "2018-04-27", "2018-05-04", "005930"),
    ("foreign_ownership_daily", "2021-01-18", "2021-01-18", "KOSPI"),
    ("etf_portfolios", "2021-04-02", "2021-04-02", "152100"),
)


@dataclass(frozen=True)
class Recording:
    """One recorded answer: what was asked and the records that came."""

    name: str
    params: dict[str, str]
    payload: bytes

    @property
    def endpoint(self) -> str:
        return self.params["bld"].rsplit("/", 1)[1].lower()

    @property
    def records(self) -> list[dict[str, str]]:
        lists = [v for v in json.loads(self.payload).values() if isinstance(v, list)]
        assert len(lists) == 1
        return lists[0]

    @property
    def scope(self) -> str:
        """As a user would name the screen."""
        params = {name: value for name, value in self.params.items() if name != "bld"}
        return f"{self.params['bld'].rsplit('/', 1)[1]}?{urlencode(params)}"


def recordings(folder: Path) -> Iterator[Recording]:
    for entry in json.loads((folder / "_index.json").read_text(encoding="utf-8")):
        path = folder / entry["file"]
        payload = (
            path.read_bytes()
            if path.exists()
            else gzip.decompress((folder / f"{entry['file']}.gz").read_bytes())
        )
        if "data.krx.co.kr" in entry["uri"]:
            yield Recording(entry["file"], entry["params"], payload)


@pytest.fixture(scope="module")
def recorded(real_data: Path) -> list[Recording]:
    return list(recordings(real_data / RECORDED))


@pytest.fixture(scope="module")
def portal(recorded: list[Recording]) -> Iterator[ReplayedPortal]:
    with replayed_portal() as running:
        for recording in recorded:
            running.add(recording.params, recording.payload)
        yield running


@pytest.fixture(scope="module")
def warehouse(
    new_database: Callable[..., Database], portal: ReplayedPortal, recorded: list[Recording]
) -> Database:
    database = new_database()
    for dataset, start, end, scope in BY_FEED:
        run = database.loaders(
            "load", "--source", "krx", "--dataset", dataset, "--strict",
            "--from", start, "--to", end, "--scope", scope, **portal.environment,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
    asked = {frozenset(form.items()) for form in portal.forms}
    for recording in recorded:
        if frozenset(recording.params.items()) not in asked:
            run = database.loaders(
                "load", "--source", "krx", "--dataset", "portal_screens", "--strict", "--scope", recording.scope,
                "--from", "2021-01-04", "--to", "2021-01-04", **portal.environment,
            )  # fmt: skip
            assert run.returncode == 0, run.stderr
    built = database.dbt(
        "build", "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious"
    )
    assert built.returncode == 0, built.stdout
    return database


def raw_rows(warehouse: Database, recording: Recording) -> list[dict[str, Any]]:
    """Rows of the raw table that the recorded answer became, under the vendor's names."""
    table = raw_tables()["krx", recording.endpoint]
    names = {field.column: field.vendor_fields[0] for field in table.fields}
    with warehouse.connect() as connection:
        rows = connection.execute(
            f"select fetches.fetch_id, rows._extra, {', '.join(f'rows.{name}' for name in names)}"
            f" from raw.{table.name} as rows"
            " inner join raw.fetches as fetches on rows._fetch_id = fetches.fetch_id"
            " where fetches.request @> %s::jsonb order by fetches.fetch_id, rows._row_number",
            (json.dumps(recording.params),),
        ).fetchall()
    assert len({row[0] for row in rows}) == 1, "one answer, one fetch"
    assert all(row[1] is None for row in rows), "no field is unknown to the contract"
    return [
        {
            name: value
            for name, value in zip(names.values(), row[2:], strict=True)
            if value is not None
        }
        for row in rows
    ]


def test_there_are_recordings_of_every_family(recorded: list[Recording]) -> None:
    assert len(recorded) >= 34
    assert len({recording.endpoint for recording in recorded}) >= 20


def test_every_recorded_row_and_field_is_in_raw_as_sent(
    warehouse: Database, recorded: list[Recording]
) -> None:
    for recording in recorded:
        assert raw_rows(warehouse, recording) == recording.records, recording.name


def test_every_recorded_row_is_in_staging_and_every_number_can_be_read(
    warehouse: Database, recorded: list[Recording]
) -> None:
    staging = warehouse.rows(
        "select relname::text from pg_class where relnamespace = 'staging'::regnamespace"
        " and relname like 'stg\\_krx\\_\\_portal\\_%'"
    )
    with warehouse.connect() as connection:
        found: dict[str, dict[int, int]] = {}
        for (view,) in staging:
            columns = connection.execute(f"select * from staging.{view} limit 0").description
            unreadable = (
                "count(*) filter (where unreadable_fields <> '')"
                if columns and "unreadable_fields" in {c.name for c in columns}
                else "0"
            )
            for fetch_id, rows, bad in connection.execute(
                f"select fetch_id, count(distinct row_number), {unreadable} from staging.{view} group by fetch_id"
            ):
                assert bad == 0, (view, fetch_id)
                found.setdefault(str(view), {})[fetch_id] = rows
        by_fetch = {fetch_id: rows for views in found.values() for fetch_id, rows in views.items()}
        for recording in recorded:
            (fetch,) = connection.execute(
                "select fetch_id from raw.fetches where request @> %s::jsonb",
                (json.dumps(recording.params),),
            ).fetchall()
            assert by_fetch[fetch[0]] == len(recording.records), recording.name


def test_the_split_of_2018_is_published_as_the_exchange_told_it(warehouse: Database) -> None:
    assert warehouse.rows(
        "select time, open_price, close_price, base_price, volume, is_suspended from marts.ohlcv_daily"
        " where stock_code = '005930' and time between '2018-04-27' and '2018-05-04' order by time"
    ) == [
        (date(2018, 4, 27), 2_669_000, 2_650_000, 2_607_000, 606_216, False),
        (date(2018, 4, 30), None, 2_650_000, 2_650_000, 0, None),
        (date(2018, 5, 2), None, 2_650_000, 2_650_000, 0, None),
        (date(2018, 5, 3), None, 2_650_000, 2_650_000, 0, None),
        (date(2018, 5, 4), 53_000, 51_900, 53_000, 39_565_391, False),
    ]
    assert warehouse.rows(
        "select time, shares_outstanding, market_cap from marts.market_cap_daily"
        " where stock_code = '005930' and time in ('2018-05-03', '2018-05-04') order by time"
    ) == [
        (date(2018, 5, 3), 128_386_494, 340_224_209_100_000),
        (date(2018, 5, 4), 6_419_324_700, 333_162_951_930_000),
    ]


def test_every_stock_of_the_recorded_days_is_published(
    warehouse: Database, recorded: list[Recording]
) -> None:
    for recording in recorded:
        if recording.endpoint != "mdcstat01501":
            continue
        day = recording.params["trdDd"]
        published = {
            str(row[0]): row[1:]
            for row in warehouse.rows(
                "select bars.stock_code, bars.close_price::text, bars.volume::text, bars.trading_value::text,"
                " caps.market_cap::text, caps.shares_outstanding::text from marts.ohlcv_daily as bars"
                " inner join marts.market_cap_daily as caps using (stock_code, time)"
                f" where bars.time = '{day}' and bars.source = 'krx'"
            )
        }
        fields = ("TDD_CLSPRC", "ACC_TRDVOL", "ACC_TRDVAL", "MKTCAP", "LIST_SHRS")
        assert published == {
            record["ISU_SRT_CD"]: tuple(record[name].replace(",", "") for name in fields)
            for record in recording.records
        }


@pytest.mark.parametrize("view", ["stock_investors", "market_investors", "etf_investors", "etf_market_investors"])  # fmt: skip
def test_eleven_leaves_add_up_to_the_totals(warehouse: Database, view: str) -> None:
    amounts = "sell_volume", "buy_volume", "net_volume", "sell_value", "buy_value", "net_value"
    sums = ", ".join(f"sum({a}) filter (where level = 'LEAF')" for a in amounts)
    seven = ", ".join(f"sum({a}) filter (where parent_code = 'INSTITUTION_TOTAL')" for a in amounts)
    totals = ", ".join(f"sum({a}) filter (where vendor_investor = '전체')" for a in amounts)
    institutions = ", ".join(f"sum({a}) filter (where vendor_investor = '기관합계')" for a in amounts)  # fmt: skip
    (row,) = warehouse.rows(
        f"select count(*) filter (where level = 'LEAF'), {sums}, {totals}, {seven}, {institutions}"
        f" from staging.stg_krx__portal_{view} as flows"
        " inner join seeds.krx_investor_labels as labels on flows.vendor_investor = labels.vendor_label"
        " left join seeds.investor_types as types using (investor_code)"
    )
    leaves, *values = row
    assert leaves == 11
    assert values[:6] == values[6:12]
    assert values[12:18] == values[18:]
    assert values[2] == values[5] == 0, "what is sold is bought"


def test_the_days_of_a_span_add_up_to_the_span(warehouse: Database) -> None:
    """The codes of side and measure differ between the screens of stocks and of ETFs; the sums show what they mean."""
    for daily, span, key in (
        ("stock_investors_daily", "stock_investors", "stock_code"),
        ("market_investors_daily", "market_investors", "vendor_market"),
        ("etf_investors_daily", "etf_investors", "stock_code"),
        ("etf_market_investors_daily", "etf_market_investors", "'all'"),
    ):
        rows = warehouse.rows(
            f"select measure, vendor_investor, sum(amount) from staging.stg_krx__portal_{daily}"
            f" where side = 'NET' and {key} is not null group by measure, vendor_investor"
        )
        assert rows
        for measure, investor, amount in rows:
            parts = "'외국인', '기타외국인'" if investor == "외국인합계" else f"'{investor}'"
            assert warehouse.rows(
                f"select sum(net_{str(measure).lower()}) from staging.stg_krx__portal_{span}"
                f" where vendor_investor in ({parts})"
            ) == [(amount,)], (daily, measure, investor)


def test_numbers_of_the_basket_are_read_to_the_digit(warehouse: Database) -> None:
    assert warehouse.rows(
        "select etf_code, base_date, component_isin, shares, valuation_krw, previous_valuation_krw, weight"
        " from staging.stg_krx__portal_etf_portfolios where component_code = '005930'"
    ) == [
        (
            "152100", date(2021, 4, 2), "KR7005930003", Decimal("8140.00"), Decimal(690_272_000),
            Decimal(674_806_000), Decimal("31.74"),
        )
    ]  # fmt: skip


def test_codes_of_delisted_securities_that_are_no_stocks_stay_out_of_stocks(
    warehouse: Database,
) -> None:
    assert warehouse.rows(
        "select is_stock, count(*) from staging.stg_krx__portal_delisted_codes group by 1 order by 1"
    ) == [(False, 1_749), (True, 2_294)]
    assert warehouse.rows("select count(*) from marts.stocks where length(stock_code) <> 6") == [
        (0,)
    ]


def test_the_same_answer_at_another_time_of_day_is_unchanged(
    warehouse: Database, portal: ReplayedPortal, recorded: list[Recording]
) -> None:
    recording = next(r for r in recorded if r.params.get("trdDd") == "20210122")
    later = recording.payload.replace(b"2026.01.25 PM", b"2026.01.26 AM")
    assert later != recording.payload
    portal.add(recording.params, later)
    rows = "select count(*) from raw.krx__mdcstat01501"
    before = warehouse.rows(rows)
    run = warehouse.loaders(
        "load", "--source", "krx", "--dataset", "ohlcv_daily", "--refresh", "--scope", "KOSPI",
        "--from", "2021-01-22", "--to", "2021-01-22", **portal.environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert warehouse.rows(rows) == before
    assert warehouse.rows(
        "select status from raw.fetch_cells where scope = 'KOSPI' order by ledger_id desc limit 1"
    ) == [("UNCHANGED",)]
    changed = later.replace(b'"4,210"', b'"4,215"', 1)
    assert changed != later
    portal.add(recording.params, changed)
    run = warehouse.loaders(
        "load", "--source", "krx", "--dataset", "ohlcv_daily", "--refresh", "--scope", "KOSPI",
        "--from", "2021-01-22", "--to", "2021-01-22", **portal.environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert warehouse.rows(rows) == [(int(str(before[0][0])) + len(recording.records),)]
