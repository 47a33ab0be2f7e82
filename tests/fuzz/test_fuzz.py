"""One market three times: from sound answers, from two thousand damaged ones, and from answers with planted errors.

Of the damaged answers each key ends equal to its sound value, absent with a recorded reason, or flagged. Each planted
error is caught at the layer that the table of plants names, and the sound answers raise nothing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.simulator.server import Simulator
from tests.conftest import ROOT, Database
from tests.fuzz.plants import DISAGREEMENT, GATE, KEY, PLANTS, Plant
from tests.fuzz.traces import failed_tests, has, traces
from tests.warehouse.minutes_by_all_rules import assert_both_readings_agree

DAYS = ("--from", "2026-04-27", "--to", "2026-05-15")
LAST_DAY = ("--from", "2026-05-15", "--to", "2026-05-15")
LOADS = (
    ("--source", "infomax", *DAYS),
    ("--source", "krx", *DAYS),
    ("--source", "wics", *DAYS),
    *(
        ("--source", source, "--dataset", dataset, *DAYS)
        for source, dataset in (
            ("kis", "stocks"), ("kis", "ohlcv_daily"), ("kis", "investor_trading"), ("kis", "corporate_actions"),
            ("kiwoom", "stocks"), ("kiwoom", "ohlcv_daily"), ("kiwoom", "investor_trading"), ("kiwoom", "floating_shares"),
            ("fnguide", "floating_shares"),
        )
    ),
    ("--source", "kis", "--dataset", "ohlcv_minute", *LAST_DAY),
)  # fmt: skip
MUTANTS_WANTED = 2_000

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Checked:
    """A table of one checked row a source, and how its rows are told apart.

    Attributes:
        dataset: as quality.rejected_rows calls it.
        ledger: dataset in the ledger.
        relation: the table.
        item: expression beside source, stock_code and day in the key.
        values: that must be equal.
        good: condition of a row that would be published.
    """

    dataset: str
    ledger: str
    relation: str
    item: str
    values: tuple[str, ...]
    good: str = "broken_rules = ''"
    day: str = "trade_date"


CHECKED = (
    Checked(
        "daily_prices", "ohlcv_daily", "intermediate.int_daily_prices__unioned", "''",
        ("open_price", "high_price", "low_price", "close_price", "base_price", "volume", "trading_value", "listed_shares"),
    ),
    Checked(
        "investor_trading", "investor_trading", "intermediate.int_investor_trading__unioned", "vendor_investor",
        ("investor_code", "buy_volume", "sell_volume", "buy_value", "sell_value"), good="not is_held_back",
    ),
    Checked(
        "minute_bars", "ohlcv_minute", "intermediate.int_minute_bars__unioned", "left(minute_label, 4)",
        ("open_price", "high_price", "low_price", "close_price", "volume", "trading_value", "session", "venue"),
    ),
    Checked(
        "foreign_ownership_daily", "foreign_ownership_daily", "intermediate.int_foreign_ownership__unioned", "''",
        ("owned_shares", "ownership_ratio", "limit_ratio"),
    ),
    Checked(
        "index_daily", "index_daily", "intermediate.int_index_levels__unioned", "index_name",
        ("open", "high", "low", "close", "volume", "trading_value", "market_cap"),
    ),
    Checked(
        "etf_portfolios", "etf_portfolios", "intermediate.int_etf_portfolios__unioned", "component_code",
        ("shares", "valuation_krw", "weight"), good="not is_held_back",
    ),
    Checked(
        "floating_shares", "floating_shares", "intermediate.int_floating_shares__unioned", "''",
        ("floating_shares", "total_shares"), day="collection_date",
    ),
    Checked(
        "index_members", "index_components", "intermediate.int_index_members__unioned", "index_name", ("isin",),
    ),
    Checked(
        "corporate_actions", "corporate_actions", "intermediate.int_corporate_actions__recorded", "kind",
        ("ex_date", "ratio", "cash_amount", "issue_price", "listing_date"),
    ),
)  # fmt: skip


PLANT_DAYS = ("--from", "2026-04-28", "--to", "2026-05-15")
FLOW_DAYS = ("--from", "2026-05-06", "--to", "2026-05-11")
"""Of feeds with a request for every type and day: the days of their plants."""
WEEKS = ("--from", "2026-05-04", "--to", "2026-05-15")
DELISTED_DAY = ("--from", "2026-07-20", "--to", "2026-07-20")
PLANT_LOADS = (
    ("--source", "infomax", *PLANT_DAYS),
    *(
        ("--source", source, "--dataset", dataset, *days)
        for source, dataset, days in (
            ("krx", "stocks", PLANT_DAYS), ("krx", "ohlcv_daily", PLANT_DAYS), ("krx", "index_daily", PLANT_DAYS),
            ("krx", "index_components", PLANT_DAYS), ("krx", "etf_portfolios", PLANT_DAYS),
            ("krx", "delisted_stocks", PLANT_DAYS), ("krx", "investor_trading", FLOW_DAYS),
            ("krx", "foreign_ownership_daily", FLOW_DAYS), ("wics", "floating_shares", WEEKS),
            ("kis", "ohlcv_daily", PLANT_DAYS), ("kis", "investor_trading", FLOW_DAYS),
            ("kis", "corporate_actions", PLANT_DAYS), ("kis", "ohlcv_minute", LAST_DAY),
            ("infomax", "ohlcv_daily", DELISTED_DAY), ("krx", "ohlcv_daily", DELISTED_DAY),
        )
    ),
)  # fmt: skip


@dataclass
class Both:
    """The same market twice: from sound answers, and from damaged ones."""

    sound: Database
    damaged: Database
    mutants: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Planted:
    """The market from answers with planted errors.

    Attributes:
        names: of the plants that met an answer.
        traces: what the layers say.
    """

    database: Database
    names: set[str]
    traces: set[str]


@contextmanager
def altering(kind: str, log: Path) -> Iterator[dict[str, str]]:
    """A simulator that alters its answers; gives the variables that point the loaders at it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.server", kind, str(log)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["environment"]
    finally:
        process.terminate()
        process.wait(timeout=20)


def load_and_build(
    database: Database, loads: tuple[tuple[str, ...], ...], vendors: dict[str, str]
) -> Database:
    for arguments in loads:
        loaded = database.loaders("load", *arguments, **vendors)
        assert "Traceback" not in loaded.stderr, loaded.stderr
    built = database.dbt("build")
    # tests may fail, and do: that is how a damage is reported; models may not
    assert "Database Error" not in built.stdout, built.stdout
    return database


@pytest.fixture(scope="module")
def sound(new_database: Callable[..., Database], simulator: Simulator) -> Database:
    return load_and_build(new_database(sample=True), LOADS, simulator.environment)


@pytest.fixture(scope="module")
def both(
    new_database: Callable[..., Database], sound: Database, tmp_path_factory: pytest.TempPathFactory
) -> Both:
    log = tmp_path_factory.mktemp("fuzz") / "mutants.jsonl"
    with altering("mutants", log) as vendors:
        damaged = load_and_build(new_database(sample=True), LOADS, vendors)
    mutants = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return Both(sound, damaged, mutants)


@pytest.fixture(scope="module")
def planted(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Planted:
    log = tmp_path_factory.mktemp("plants") / "planted.txt"
    with altering("plants", log) as vendors:
        database = load_and_build(new_database(sample=True), PLANT_LOADS, vendors)
    names = set(log.read_text(encoding="utf-8").splitlines())
    return Planted(database, names, traces(database))


def good_rows(database: Database, checked: Checked) -> dict[Key, Key]:
    values = ", ".join(checked.values)
    rows = database.rows(
        f"select source, stock_code, {checked.day}::text, {checked.item}, {values}"
        f" from {checked.relation} where {checked.good}"
    )
    return {tuple(row[:4]): tuple(row[4:]) for row in rows}


def named(database: Database, view: str, dataset: str) -> set[Key]:
    return set(
        database.rows(
            f"select source, stock_code, trade_date::text from quality.{view} where dataset = '{dataset}'"
        )
    )


def unfinished(database: Database, dataset: str) -> set[tuple[str, str, str]]:
    """Source, day and scope of cells whose newest attempt brought nothing that counts, with a reason in the ledger."""
    return set(
        database.rows(
            "select source, day, scope from ("
            " select distinct on (source, scope, collection_date) source, collection_date::text as day, scope, status"
            f" from raw.fetch_cells where dataset = '{dataset}'"
            " order by source, scope, collection_date, ledger_id desc) as newest"
            " where status not in ('SUCCESS', 'UNCHANGED')"
        )
    )


def incomplete_portfolios(database: Database) -> set[Key]:
    """Portfolios whose parts do not make the whole, which a quality view and a test say."""
    return set(
        database.rows(
            "select source, etf_code, base_date::text from quality.etf_portfolio_totals"
            " where abs(weight_sum - 100) > 0.1 or line_count < stated_components"
        )
    )


def lost_members(mutants: list[dict[str, Any]]) -> set[str]:
    """ISINs of a list that comes without a count and without a second word on it: one name less shows nowhere."""
    return {
        mutant["sound"]["isin"]
        for mutant in mutants
        if mutant["path"].endswith("index/constituents") and mutant["kind"] == "dropped record"
    }


def damaged_rows(database: Database, dataset: str) -> set[tuple[str, str]]:
    """Source and day of rejected rows whose code was damaged: the key under which they would be looked for is gone."""
    return set(
        database.rows(
            "select source, trade_date::text from quality.rejected_rows"
            f" where dataset = '{dataset}' and rule_id in ('CODE_MALFORMED', 'DATE_UNREADABLE', 'DATE_NOT_ASKED', 'ISIN_UNKNOWN')"
        )
    )


def test_there_are_enough_mutants_of_every_kind(both: Both) -> None:
    assert len(both.mutants) >= MUTANTS_WANTED
    assert min(_count(both.mutants, "kind").values()) >= 3


def _count(mutants: list[dict[str, Any]], name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for mutant in mutants:
        counts[mutant[name]] = counts.get(mutant[name], 0) + 1
    return counts


@pytest.mark.parametrize("checked", CHECKED, ids=lambda checked: checked.dataset)
def test_every_key_is_equal_absent_with_a_reason_or_flagged(both: Both, checked: Checked) -> None:
    sound, damaged = good_rows(both.sound, checked), good_rows(both.damaged, checked)
    rejected = named(both.damaged, "rejected_rows", checked.dataset)
    warned = named(both.damaged, "warned_rows", checked.dataset)
    missing = named(both.damaged, "missing_rows", checked.dataset)
    open_cells = unfinished(both.damaged, checked.ledger)
    open_days = {(source, day) for source, day, _ in open_cells}
    open_scopes = {(source, scope, day) for source, day, scope in open_cells}
    markets = {scope for _, _, scope in open_cells if not scope[0].isdigit()}
    lost_keys = damaged_rows(both.damaged, checked.dataset)
    incomplete = incomplete_portfolios(both.damaged)
    unseen = lost_members(both.mutants)
    silent: list[Any] = []
    for key in sound.keys() | damaged.keys():
        if sound.get(key) == damaged.get(key):
            continue
        name, day = key[:3], (key[0], key[2])
        is_gone = key not in damaged
        explained = (
            name in rejected
            or name in warned
            or (is_gone and name in missing)
            or (is_gone and name in open_scopes)
            or (is_gone and day in open_days and bool(markets))
            or (is_gone and day in lost_keys)
            or (checked.dataset == "etf_portfolios" and name in incomplete)
            or (checked.dataset == "index_members" and is_gone and sound[key][0] in unseen)
        )
        if not explained:
            silent.append((key, sound.get(key), damaged.get(key)))
    assert sound, "nothing to compare"
    assert not silent, f"{len(silent)} of {len(sound)} keys changed without a word: {silent[:20]}"


def test_there_are_three_plants_of_every_family_and_each_met_an_answer(planted: Planted) -> None:
    families: dict[str, int] = {}
    for plant in PLANTS:
        families[plant.family] = families.get(plant.family, 0) + 1
    assert min(families.values()) >= 3, families
    assert {plant.name for plant in PLANTS} == planted.names
    # a trace of its own: none is caught by what another one left
    assert len({plant.expected for plant in PLANTS}) == len(PLANTS)


def test_sound_answers_raise_nothing(sound: Database) -> None:
    assert traces(sound) == set()
    # weeks at once: their snapshots wait for the command that walks the dates
    assert failed_tests(sound) == {"no_snapshot_date_waits_see_column_command"}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_error_is_caught_where_the_table_says(
    sound: Database, planted: Planted, plant: Plant
) -> None:
    if plant.layer in (GATE, DISAGREEMENT) and not has(planted.database, RELATIONS[plant.layer]):
        pytest.skip(f"{RELATIONS[plant.layer]} is not there")
    if plant.layer == KEY:
        _, mart, code, day = plant.trace.split()
        query = (
            f"select * from marts.{mart} where stock_code = '{code}' and time = '{day}' order by 3"
        )
        columns = {"created_at", "updated_at", "id"}
        assert _rows(planted.database, query, columns) == _rows(sound, query, columns) != []
    else:
        assert plant.expected in planted.traces


def test_a_glance_and_all_rules_say_the_same_of_damaged_minutes(
    both: Both, planted: Planted
) -> None:
    for database in (both.damaged, planted.database):
        assert_both_readings_agree(database, plain_part=0)


RELATIONS = {GATE: "quality.gates", DISAGREEMENT: "marts.vendor_disagreements"}


def _rows(database: Database, query: str, but: set[str]) -> list[dict[str, Any]]:
    with database.connect() as connection:
        cursor = connection.execute(query)
        assert cursor.description
        names = [column.name for column in cursor.description]
        return [
            {n: v for n, v in zip(names, row, strict=True) if n not in but}
            for row in cursor.fetchall()
        ]
