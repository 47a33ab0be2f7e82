"""Every generic test of the project passes rows that it must pass and finds those that it must not; what it finds is kept."""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.conftest import REAL_DATA, ROOT, Database
from tests.warehouse.small_project import PROJECT, SmallProject

# relations that tests refer to by name, and what stands in for them: the week of Chuseok 2026, closed on two days
SUPPORT = {
    "trading_calendar": """
        select
            day::date as date, day::date not in ('2026-09-24', '2026-09-25', '2026-09-26', '2026-09-27') as is_session,
            (day + interval '9 hours') at time zone 'Asia/Seoul' as opens_at,
            (day + interval '15 hours 30 minutes') at time zone 'Asia/Seoul' as closes_at
        from (
            select '2026-06-01'::timestamp as day
            union all
            select generate_series('2026-09-21'::timestamp, '2026-09-30'::timestamp, '1 day')
        ) as days
    """,
    "stg_audit__warehouse": "select 'REAL' as kind, now() as checked_at",
    "stocks": """
        select * from (values ('000001', null::date), ('000002', '2026-10-05'::date)) as known (stock_code, delisting_date)
    """,
    "stock_universe_daily": """
        select code as stock_code, '2026-09-21'::date as time, 'KOSPI' as market, kind as security_type, is_first_day
        from (values ('000001', 'STOCK', false), ('000002', 'STOCK', false), ('000003', 'ETF', false), ('000004', 'STOCK', true))
            as listed (code, kind, is_first_day)
        union all
        select '000001', '2015-06-12'::date, 'KOSPI', 'STOCK', false
    """,
    "price_limits": """
        select * from (values
            ('KOSPI', '1998-12-07'::date, '2015-06-15'::date, 0.15), ('KOSPI', '2015-06-15'::date, null::date, 0.30)
        ) as limits (market, valid_from, valid_to, limit_rate)
    """,
    "golden": "select '005930' as stock_code, '2018-05-04'::date as time, 51900 as close_price, null::integer as volume",
    "history": "select '000001' as stock_code, '2026-01-01'::date as valid_from, '2026-06-01'::date as valid_to",
    "letters": "select 'A' as letter",
    "gaps": "select 'A' as code, '2026-02-01'::date as day",
    "other_fact": "select '000001' as stock_code, '2026-09-21'::date as time",
}

# test: arguments, columns, rows that pass, rows that do not, what must stand in the kept rows
CASES: dict[str, tuple[dict[str, object], str, str, str, str]] = {
    "unique_combination": ({"columns": ["a", "b"]}, "a, b", "(1, 1), (1, 2)", "(1, 1), (1, 1)", '"row_count": 2'),
    "expression_is_true": ({"expression": "a > 0"}, "a", "(1), (null)", "(0)", '"a": 0'),
    "sums_to": (
        {"column": "a", "group_by": ["b"], "total": 0, "tolerance": 1}, "a, b",
        "(5, 'x'), (-4, 'x')", "(5, 'x'), (-3, 'x')", '"b": "x"',
    ),
    "row_count_per_group": (
        {"group_by": ["a"], "rows": 2}, "a", "(1), (1)", "(1), (1), (2)", '"a": 2',
    ),
    "sessions_only": ({"day_column": "day"}, "day", "('2026-09-23'::date)", "('2026-09-24'::date)", "2026-09-24"),
    "no_failed_cells": (
        {}, "data_type, source, scope, collection_date, status, error_message, completed_at, ledger_id",
        "('bars', 'x', 'ALL', '2026-09-21'::date, 'FAILED', 'gone', now(), 1), "
        "('bars', 'x', 'ALL', '2026-09-21'::date, 'SUCCESS', null, now(), 2)",
        "('bars', 'x', 'ALL', '2026-09-21'::date, 'SUCCESS', null, now(), 1), "
        "('bars', 'x', 'ALL', '2026-09-21'::date, 'FAILED', 'gone', now(), 2)",
        '"error_message": "gone"',
    ),
    "nothing_is_held": (
        {}, "dataset, source, trade_date, gate, what_to_do", "",
        "('bars', 'x', '2026-09-21'::date, 'STALE_COPY', 'ask again')", '"gate": "STALE_COPY"',
    ),
    "same_keys": (
        {"other": "ref('other_fact')", "but": "source = 'broker'"}, "stock_code, time, source",
        "('000001', '2026-09-21'::date, 'x'), ('000002', '2026-09-21'::date, 'broker')",
        "('000002', '2026-09-21'::date, 'x')", '"stock_code": "000002"',
    ),
    "ranges_do_not_overlap": (
        {"group_by": ["code"], "starts_on": "starts", "ends_before": "ends"}, "code, starts, ends",
        "('A', '2026-01-01'::date, '2026-02-01'::date), ('A', '2026-02-01'::date, null)",
        "('A', '2026-01-01'::date, '2026-02-02'::date), ('A', '2026-02-01'::date, null)", '"ends": "2026-02-02"',
    ),
    "versions_do_not_overlap": (
        {"group_by": ["code"]}, "id, code, valid_from, valid_to, known_from, known_to",
        "(1, 'A', '2026-01-01'::date, null::date, '2026-01-01'::timestamptz, '2026-03-01'::timestamptz), "
        "(2, 'A', '2026-02-01'::date, null, '2026-03-01'::timestamptz, null)",
        "(1, 'A', '2026-01-01'::date, null::date, '2026-01-01'::timestamptz, '2026-03-01'::timestamptz), "
        "(2, 'A', '2026-02-01'::date, null, '2026-02-01'::timestamptz, null)", '"code": "A"',
    ),
    "ranges_touch": (
        {
            "group_by": ["code"], "starts_on": "starts", "ends_before": "ends",
            "explained_by": "ref('gaps')", "explained_on": "day",
        },
        "code, starts, ends",
        "('A', '2026-01-01'::date, '2026-02-01'::date), ('A', '2026-03-01'::date, null)",
        "('B', '2026-01-01'::date, '2026-02-01'::date), ('B', '2026-03-01'::date, null)", '"code": "B"',
    ),
    "members_on_any_day": (
        {
            "per_group": {"X": 2}, "group_by": "code", "starts_on": "starts", "ends_before": "ends", "tolerance": 0,
        },
        "code, starts, ends",
        "('X', '2026-01-01'::date, '2026-02-01'::date), ('X', '2026-01-01'::date, null), ('X', '2026-02-01'::date, null)",
        "('X', '2026-01-01'::date, '2026-02-01'::date), ('X', '2026-01-01'::date, null)", '"members": 1',
    ),
    "relationships_window": (
        {"column": "letter", "to": "ref('letters')", "field": "letter"}, "letter", "('A'), (null)", "('B')", '"letter": "B"',
    ),
    "accepted_values_window": (
        {"column": "letter", "values": ["A", "B"]}, "letter", "('A'), ('B')", "('C')", '"letter": "C"',
    ),
    "no_missing_sessions": (
        {"day_column": "day"}, "day",
        # over the closure, and far apart
        "('2026-09-23'::date), ('2026-09-28'::date), ('2026-08-01'::date)",
        "('2026-09-22'::date), ('2026-09-28'::date)", '"date": "2026-09-23"',
    ),
    "rows_per_session": (
        {"day_column": "day", "at_least": 0.5, "at_most": 2}, "day",
        "('2026-09-21'::date), ('2026-09-21'::date), ('2026-09-22'::date)",
        "('2026-09-21'::date), ('2026-09-21'::date), ('2026-09-21'::date), ('2026-09-22'::date)", '"row_count": 1',
    ),
    "snapshots_move": (
        {"moment": "moment", "columns": ["bought", "sold"], "group_by": ["market"], "at_most": 0.25, "at_least": 4},
        "market, moment, bought, sold",
        # one of four repeats; before the opening and with too few looks anything does
        "('A', '2026-09-21 08:50+09'::timestamptz, 0, 0), ('A', '2026-09-21 08:55+09', 0, 0), "
        "('A', '2026-09-21 09:00+09', 0, 0), ('A', '2026-09-21 09:01+09', 0, 0), "
        "('A', '2026-09-21 09:02+09', 1, 0), ('A', '2026-09-21 09:03+09', 1, 1), "
        "('B', '2026-09-21 09:00+09', 0, 0), ('B', '2026-09-21 09:01+09', 0, 0)",
        "('A', '2026-09-21 09:00+09'::timestamptz, 0, 0), ('A', '2026-09-21 09:01+09', 0, 0), "
        "('A', '2026-09-21 09:02+09', 0, 0), ('A', '2026-09-21 09:03+09', 1, 0)",
        '"repeat_count": 2',
    ),
    "within_price_limit_by_regime": (
        {"prices": ["high_price", "low_price"]}, "stock_code, time, base_price, high_price, low_price",
        # to the limit; before a delisting; a fund; a first session; fifteen percent while that was the limit
        "('000001', '2026-09-21'::date, 1000, 1300, 700), ('000002', '2026-09-21'::date, 1000, 2000, 500), "
        "('000003', '2026-09-21'::date, 1000, 1600, 1000), ('000004', '2026-09-21'::date, 1000, 4000, 1000), "
        "('000001', '2015-06-12'::date, 1000, 1150, 850)",
        "('000001', '2026-09-21'::date, 1000, 1305, 1000), ('000001', '2015-06-12'::date, 1000, 1000, 845)",
        '"high_price": 1305',
    ),
    "ratio_between": (
        {"numerator": "value", "denominator": "volume * price", "at_least": 0.5, "at_most": 2}, "value, volume, price",
        "(1000, 10, 100), (0, 0, 100)", "(1000000, 10, 100)", '"value": 1000000',
    ),
    "as_of_relationship": (
        {"column": "stock_code", "day_column": "day", "to": "ref('history')", "field": "stock_code"}, "stock_code, day",
        "('000001', '2026-05-31'::date), (null, '2026-05-31'::date)", "('000001', '2026-06-01'::date)", "2026-06-01",
    ),
    "golden_rows": (
        {"golden": "ref('golden')", "keys": ["stock_code", "time"], "columns": ["close_price", "volume"]},
        "stock_code, time, close_price, volume",
        "('005930', '2018-05-04'::date, 51900, 5), ('000001', '2018-05-04'::date, 1, 5)",
        "('005930', '2018-05-04'::date, 2595000, 5)", '"true_close_price": 51900',
    ),
}  # fmt: skip


FLOWS = REAL_DATA / "flows" / "kb_market_flow_1min_2026-06-01.json.gz"


def flows_by_minute() -> str:
    """Flows of foreigners and individuals, minute by minute, as a broker's page showed them on a day: a query."""
    snapshots = json.loads(gzip.decompress(FLOWS.read_bytes()))["snapshots"]
    rows = ", ".join(
        f"('{market}', '{investor}', '{taken['ts']}'::timestamptz, {told['매수']}, {told['매도']})"
        for taken in snapshots
        for market in ("kospi", "kosdaq")
        for investor in ("외국인", "개인")
        for told in [taken[market][investor]]
    )
    return f"select * from (values {rows}) as told (market, investor, moment, bought, sold)"


@pytest.fixture(scope="module")
def results(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """The tests, run once on both kinds of rows."""
    database = new_database()
    project = SmallProject.write(tmp_path_factory.mktemp("tests") / "project", database)
    folder = project.folder / "models"
    shutil.rmtree(folder)
    folder.mkdir()
    settings = {**PROJECT, "models": {"+schema": "marts", "+materialized": "view"}}
    (project.folder / "dbt_project.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    for path in sorted((ROOT / "tests" / "generic").glob("*.sql")):
        shutil.copy(path, project.folder / "tests" / "generic")
    for name, query in SUPPORT.items():
        (folder / f"{name}.sql").write_text(query, encoding="utf-8")
    models = []
    for test, (arguments, columns, good, bad, _kept) in CASES.items():
        for kind, rows in (("good", good), ("bad", bad)):
            name = f"{kind}_{test}"
            # a test that every row fails passes no row at all
            query = f"select * from (values {rows or bad}) as told ({columns})"
            query += "" if rows else " where false"
            (folder / f"{name}.sql").write_text(query, encoding="utf-8")
            attached = {test: {"arguments": arguments, "config": {"severity": "warn"}}}
            models.append({"name": name, "data_tests": [attached]})
    if FLOWS.exists():
        (folder / "flows_by_minute.sql").write_text(flows_by_minute(), encoding="utf-8")
        asked = {
            "moment": "moment",
            "columns": ["bought", "sold"],
            "group_by": ["market", "investor"],
        }
        attached = {"snapshots_move": {"arguments": asked, "config": {"severity": "warn"}}}
        models.append({"name": "flows_by_minute", "data_tests": [attached]})
    (folder / "models.yml").write_text(yaml.safe_dump({"models": models}), encoding="utf-8")
    project.dbt("build")
    yield database


def test_every_generic_test_is_tried() -> None:
    assert set(CASES) == {path.stem for path in (ROOT / "tests" / "generic").glob("*.sql")}


@pytest.mark.parametrize("test", CASES)
def test_it_passes_what_it_must_and_finds_what_it_must(results: Database, test: str) -> None:
    found = results.rows(
        "select table_name, status, check_type, failing_rows::text from quality.dbt_test_results"
        f" where table_name in ('good_{test}', 'bad_{test}') order by 1 desc"
    )
    (good, passed, _, nothing), (bad, failed, check_type, rows) = found
    assert (good, passed, nothing) == (f"good_{test}", "pass", None)
    assert (bad, failed) == (f"bad_{test}", "warn")
    # the failing keys are kept with the result, and the kind of check has a word of its own
    assert CASES[test][4] in str(rows)
    assert check_type != "BUSINESS_RULE_CHECK"


@pytest.mark.skipif(not FLOWS.exists(), reason=f"no {FLOWS}")
def test_a_page_of_flows_that_stands_still_for_a_third_of_the_minutes_is_found(
    results: Database,
) -> None:
    ((status, rows),) = results.rows(
        "select status, failing_rows from quality.dbt_test_results where table_name = 'flows_by_minute'"
    )
    assert status == "warn"
    assert isinstance(rows, list)
    found = {(row["market"], row["investor"]): row["repeat_count"] for row in rows}
    assert set(found) == {(m, i) for m in ("kospi", "kosdaq") for i in ("외국인", "개인")}
    assert all(100 < count < 200 for count in found.values()), found


def test_rows_that_cannot_be_listed_are_no_end_of_a_run(results: Database) -> None:
    listed = "select quality.first_rows({}, 20)::text"
    assert results.rows(listed.format("'select 1 / 0 as a'")) == [
        ('[{"error": "division by zero"}]',)
    ]
    assert "does not exist" in str(results.rows(listed.format("'select * from nowhere'")))
    counted = "select jsonb_array_length(quality.first_rows('select * from generate_series(1, 99) -- all', 20))"
    assert results.rows(counted) == [(20,)]
