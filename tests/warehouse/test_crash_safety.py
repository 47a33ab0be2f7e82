"""Loader, dbt and PostgreSQL killed at any instant, then run again: the marts are those of an undisturbed run.

Here a kill in every phase and a few at random. `CRASHES=60 pytest tests/warehouse/test_crash_safety.py` goes on until that
many have hit; `CRASH_SEED` repeats the instants of a run. The kills are logged, and a table of them ends the run.
"""

import logging
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import sql

from sandbox.embedded import EmbeddedServer
from sandbox.simulator.market import market
from sandbox.simulator.server import NOW, SEED, Simulator
from tests.warehouse.crash_site import NAME, PHASES, CrashSite

CRASHES = int(os.environ.get("CRASHES", "0"))
CRASH_SEED = int(os.environ.get("CRASH_SEED", str(time.time_ns() % 1_000_000)))
ROUNDS = 1 if not CRASHES else max(2, CRASHES // 12)
SESSIONS = [str(day) for day in sorted(market(SEED).stocks[0].bars) if str(day) >= "2026-04-20"]
FIRST_DAY, AT_ONCE, DURING_BUILD, *DAYS = SESSIONS[: 3 + ROUNDS]

EVERYTHING = ("--indirect-selection", "cautious", "--select", "+ohlcv_daily", "+market_cap_daily", "+snap_stocks",
              "+data_collection_logs", "+data_quality_checks", "+mart_changes")  # fmt: skip
# what a day changes, and the views that dbt drops with the tables that it makes anew
A_DAY = ("--indirect-selection", "cautious", "--select", "stg_krx__stk_bydd_trd", "int_daily_prices__unioned",
         "int_daily_prices__chosen", "ohlcv_daily", "market_cap_daily", "data_collection_logs", "path:models/intermediate/stocks",
         "int_stock_sectors__versioned", "int_stock_sectors__known", "int_snapshots__business_dates",
         "int_stocks__on_business_date", "snap_stocks", "--exclude", "int_stocks__last_priced")  # fmt: skip
# every phase with its own program killed, and with the server under it killed, whole or one of its processes
PLANNED = [
    ("extract", "client"), ("normalise", "client"), ("load", "client"), ("load", "server"), ("ledger", "client"),
    ("staging", "client"), ("marts", "client"), ("marts", "backend"), ("snapshots", "client"), ("audit", "client"),
]  # fmt: skip
PLANNED_IN_LONG_RUNS = [
    ("extract", "server"), ("normalise", "backend"), ("ledger", "server"), ("ledger", "backend"), ("staging", "server"),
    ("marts", "server"), ("snapshots", "server"), ("snapshots", "backend"), ("audit", "server"), ("load", "backend"),
]  # fmt: skip
TABLES = (
    "marts.ohlcv_daily", "marts.market_cap_daily", "marts.data_collection_logs", "intermediate.int_daily_prices__unioned",
    "intermediate.int_daily_prices__chosen", "snapshots.snap_stocks", "ops.snapshot_progress", "ops.mart_changes",
)  # fmt: skip

log = logging.getLogger("crashes")
pytestmark = pytest.mark.timeout(600 + 120 * CRASHES)


def of_day(day: str) -> tuple[str, ...]:
    return ("--source", "krx", "--from", day, "--to", day)


@dataclass(frozen=True)
class Reference:
    """What an undisturbed warehouse held at the end of each day, and how long its runs took."""

    checksums: dict[str, dict[str, object]]
    seconds: dict[str, float]


def checksums(site: CrashSite) -> dict[str, object]:
    """Of every table, without identities of answers and runs and without moments: these differ between any two runs."""
    found: dict[str, object] = {}
    for table in TABLES:
        ((columns,),) = site.database.rows(
            "select string_agg(quote_ident(attname), ', ' order by attname) from pg_attribute"
            f" where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped"
            " and atttypid <> 'timestamptz'::regtype and attname !~ '(fetch|ledger|answer|invocation|attempt)_id'"
            f" and not (attname = 'id' and '{table}' ~ 'logs|changes') and attname not in ('row_number')"
        )
        found[table] = site.database.rows(
            "select count(*), md5(string_agg(line, '' order by line))"
            f" from (select row({columns})::text as line from {table}) as lines"
        )[0]
    return found


@pytest.fixture(scope="module")
def site(scratch: Path, simulator: Simulator) -> Iterator[CrashSite]:
    server = EmbeddedServer(scratch / "crashes")
    server.start()
    folder = scratch / "crash-site"
    folder.mkdir()
    server.ensure_database(NAME)
    site = CrashSite(server, simulator.only("KRX_OPENAPI_"), folder)
    initialised = site.database.loaders("init", "--sample-now", NOW, "--sample-seed", str(SEED))
    assert initialised.returncode == 0, initialised.stderr
    try:
        yield site
    finally:
        server.stop()
        shutil.rmtree(scratch / "crashes")


@pytest.fixture(scope="module")
def undisturbed(site: CrashSite) -> Reference:
    """The same days without a kill; the warehouse is then set back to its first day."""
    site.finish("load", *of_day(FIRST_DAY))
    site.finish("build", *EVERYTHING)
    copy_database(site, NAME, "first_day")
    reference: dict[str, dict[str, object]] = {}
    seconds: dict[str, float] = {}
    for day in (AT_ONCE, DURING_BUILD, *DAYS):
        seconds["load"] = site.finish("load", *of_day(day))
        seconds["build"] = site.finish("build", *A_DAY)
        reference[day] = checksums(site)
    copy_database(site, "first_day", NAME)
    return Reference(reference, seconds)


def copy_database(site: CrashSite, origin: str, copy: str) -> None:
    with site.server.connect("postgres") as connection:
        for statement in ("drop database if exists {copy} with (force)",
                          "create database {copy} template {origin} strategy file_copy"):  # fmt: skip
            names = {"copy": sql.Identifier(copy), "origin": sql.Identifier(origin)}
            connection.execute(sql.SQL(statement).format(**names))


def assert_nothing_is_left_behind(site: CrashSite) -> None:
    deadline = time.monotonic() + 10
    while left := site.strangers():
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert site.database.rows("select from pg_prepared_xacts") == []
    assert (
        site.database.rows(
            "select source, dataset, scope, collection_date, count(distinct attempt_id) from raw.fetch_cells"
            " where status = 'SUCCESS' group by 1, 2, 3, 4 having count(distinct attempt_id) > 1"
        )
        == []
    ), "collected twice"


def test_two_loads_at_once_and_a_load_and_a_second_build_during_a_build(
    site: CrashSite, undisturbed: Reference
) -> None:
    loads = [site.begin("load", *of_day(AT_ONCE)) for _ in range(2)]
    assert [work.end() for work in loads] == [0, 0], [work.output for work in loads]

    build = site.begin("build", *A_DAY)
    with site.held("marts.ohlcv_daily"):
        # with a transaction of the build open, and the build waiting: neither may wait for it
        site.finish("load", *of_day(DURING_BUILD))
        second = site.begin("build", *A_DAY)
        assert second.end() != 0
        assert "another dbt run works on database" in second.output
        assert build.process.poll() is None
    assert build.end() == 0, build.output
    assert checksums(site) == undisturbed.checksums[AT_ONCE], "not of what came while it ran"
    site.finish("build", *A_DAY)
    assert checksums(site) == undisturbed.checksums[DURING_BUILD]
    assert_nothing_is_left_behind(site)


def test_whatever_is_killed_the_next_plain_runs_give_the_undisturbed_marts(
    site: CrashSite, undisturbed: Reference
) -> None:
    chance = random.Random(CRASH_SEED)
    log.warning("CRASH_SEED=%d", CRASH_SEED)
    planned = PLANNED + (PLANNED_IN_LONG_RUNS if CRASHES else [])
    for number, day in enumerate(DAYS):
        for kind, commands in (("load", of_day(day)), ("build", A_DAY)):
            # by phase: what a load has received it does not ask for again, so extracting can be met while a day is new
            for phase, victim in sorted(
                planned[number::ROUNDS], key=lambda hit: PHASES.index(hit[0])
            ):
                if (phase in PHASES[:4]) == (kind == "load"):
                    site.kill_in(phase, victim, *commands)
            for _ in range(1 if not CRASHES else (CRASHES - len(planned)) // (2 * ROUNDS) + 1):
                victim = chance.choice(["client", "client", "backend", "server"])
                # a run that ended before its instant had nothing more to do: the day is done
                if not site.kill_after(
                    chance.uniform(0.2, 1.0) * undisturbed.seconds[kind], kind, victim, *commands
                ):
                    break
            site.finish(kind, *commands)
        assert checksums(site) == undisturbed.checksums[day], day
        assert_nothing_is_left_behind(site)
    report(site)
    assert {hit.phase for hit in site.hits} >= set(PHASES)
    assert len(site.hits) >= max(CRASHES, len(PLANNED))


def report(site: CrashSite) -> None:
    """Write the table of kills, phase by victim, into the log."""
    counts = Counter((hit.phase, hit.victim) for hit in site.hits)
    victims = sorted({hit.victim for hit in site.hits})
    lines = [f"{'phase':<14}" + "".join(f"{victim:>18}" for victim in victims)]
    order = [*PHASES, *sorted({hit.phase for hit in site.hits} - set(PHASES))]
    lines += [
        f"{phase:<14}" + "".join(f"{counts[phase, victim]:>18}" for victim in victims)
        for phase in order
    ]
    lines.append(
        f"{len(site.hits)} kills, {sum(hit.at_random for hit in site.hits)} of them at random instants"
    )
    log.warning("\n%s", "\n".join(lines))
