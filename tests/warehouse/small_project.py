"""A dbt project of five models over the real macros: the incremental machinery in its smallest form.

Its cells are the ledger's own rows: `scope` is the key of a row, `error` its value.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests import programs
from tests.conftest import ROOT, Database

PROJECT = {
    "name": "korean_market_warehouse",
    "version": "1.0.0",
    "profile": "warehouse",
    "macro-paths": ["macros"],
    "test-paths": ["tests"],
    "flags": {"send_anonymous_usage_stats": False},
    "vars": {
        "test_window_days": 10,
        "stall": "",
        "timeseries_chunk_interval": "7 days",
        "timeseries_compress_after": "14 days",
        "timeseries_retention": "",
        "timeseries_aggregates_every": "1 hour",
    },
    "on-run-start": ["{{ begin_run() }}"],
    "on-run-end": [
        "{{ write_audit(results) }}",
        "{{ refresh_continuous_aggregates() }}",
        "{{ end_run() }}",
    ],
    "models": {
        "+schema": "marts",
        "+on_schema_change": "fail",
        "+post-hook": [
            # rows are exchanged and progress is not yet written: here a test can hold the build up
            "{% if var('stall') == model.name %}select pg_advisory_xact_lock(1){% endif %}",
            "{{ record_progress() }}",
            "{{ record_whole_build() }}",
        ],
    },
}

CONTRACT = {
    "contract": {"enforced": True},
    "meta": {"day_column": "time", "datasets": ["bars"]},
}
COLUMNS = [
    {"name": "time", "data_type": "date"},
    {"name": "scope", "data_type": "text"},
    {"name": "value", "data_type": "integer"},
]
PROPERTIES = {
    "sources": [{"name": "ledger", "schema": "raw", "tables": [{"name": "fetch_cells"}]}],
    "models": [
        {
            "name": name,
            "config": CONTRACT,
            "constraints": [{"type": "primary_key", "columns": ["time", "scope"]}],
            "columns": COLUMNS,
            "data_tests": [
                {
                    "expression_is_true": {
                        "arguments": {"expression": "value >= 0"},
                        "config": {"where": "__recent__", "severity": "warn"},
                    }
                }
            ],
        }
        for name in ("bars", "weekly")
    ],
}

SWAPPED = "{{ config(materialized='incremental', incremental_strategy='swap_days', indexes=[{'columns': ['time']}]) }}"
MODELS = {
    "cells": "{{ config(materialized='view') }} select * from {{ source('ledger', 'fetch_cells') }}",
    "bars": SWAPPED
    + """
        with cells as (
            select *, max(attempt_id) over (partition by dataset, collection_date) as newest from {{ ref('cells') }}
            where dataset = 'bars' and status = 'SUCCESS' {{ and_in_days_to_rebuild('collection_date') }}
        )
        select collection_date as time, scope, error::integer as value from cells where attempt_id = newest
    """,
    # two views between a table and its parent
    "lower": "{{ config(materialized='view') }} select * from {{ ref('bars') }}",
    "upper": "{{ config(materialized='view') }} select * from {{ ref('lower') }}",
    "weekly": SWAPPED
    + " select time, scope, value from {{ ref('upper') }} where true {{ and_in_days_to_rebuild('time') }}",
    "log": """
        {{ config(materialized='incremental', incremental_strategy='append', indexes=[{'columns': ['ledger_id']}]) }}
        select ledger_id, status from {{ ref('cells') }} where true {{ and_new_in_ledger('ledger_id') }}
    """,
}


@dataclass(frozen=True)
class SmallProject:
    """The project in a folder, on a database."""

    folder: Path
    database: Database

    @classmethod
    def write(cls, folder: Path, database: Database) -> "SmallProject":
        """Write its files and return it."""
        (folder / "models").mkdir(parents=True)
        (folder / "dbt_project.yml").write_text(yaml.safe_dump(PROJECT), encoding="utf-8")
        (folder / "models" / "models.yml").write_text(yaml.safe_dump(PROPERTIES), encoding="utf-8")
        for name, query in MODELS.items():
            (folder / "models" / f"{name}.sql").write_text(query, encoding="utf-8")
        shutil.copytree(ROOT / "macros", folder / "macros")
        (folder / "tests" / "generic").mkdir(parents=True)
        shutil.copy(
            ROOT / "tests" / "generic" / "expression_is_true.sql", folder / "tests" / "generic"
        )
        return cls(folder, database)

    def _command(self, *arguments: str) -> list[str]:
        return [
            "dbt",
            *arguments,
            "--project-dir",
            str(self.folder),
        ]

    def _environment(self) -> dict[str, str]:
        return self.database.process_environment() | {"DBT_PROFILES_DIR": str(ROOT / "profiles")}

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return programs.run(
            self._command(*arguments), folder=self.folder, environment=self._environment()
        )

    def dbt(self, *arguments: str) -> str:
        """Run dbt to a good end; returns what it printed."""
        done = self._run(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def failing(self, *arguments: str) -> str:
        """Run dbt to an end that is not good; returns what it printed."""
        done = self._run(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stdout

    @contextmanager
    def stalled(self, model: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A build held up inside a model's transaction; it goes on when the block is left, unless it was killed there."""
        with self.database.connect() as holder:
            holder.execute("select pg_advisory_lock(1)")
            process = subprocess.Popen(
                self._command("build", "--vars", f"stall: {model}", *arguments),
                executable=programs.DBT, cwd=self.folder,
                env=self._environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                deadline = time.monotonic() + 60
                waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                while self.database.rows(waits) == [(0,)]:
                    assert process.poll() is None, "the build ended without being held up"
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                yield process
            except BaseException:
                self.kill(process)
                raise
        process.wait(timeout=120)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a build as a power cut would: the process and its connections, without a word."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.database.rows(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and application_name = 'dbt'"
        )

    def collect(self, attempt: int, day: str, **values: int) -> None:
        """Write an attempt at a day into the ledger: the value of every scope."""
        with self.database.connect() as connection:
            for scope, value in values.items():
                connection.execute(
                    "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status,"
                    " started_at, completed_at, error) values (%s, 'test', 'bars', %s, %s, 'SUCCESS', now(), now(), %s)",
                    (attempt, scope, day, str(value)),
                )

    def table(self, name: str) -> list[tuple[object, ...]]:
        """Rows of a swapped table, days as text."""
        return self.database.rows(
            f"select time::text, scope, value from marts.{name} order by 1, 2"
        )

    def versions(self) -> list[tuple[object, ...]]:
        """Identity of every row version of the three tables: unchanged when nothing was written."""
        return self.database.rows(
            "select 'bars', ctid::text, xmin::text from marts.bars"
            " union all select 'weekly', ctid::text, xmin::text from marts.weekly"
            " union all select 'log', ctid::text, xmin::text from marts.log order by 1, 2"
        )

    def progress(self) -> dict[object, object]:
        """How far every table is."""
        return dict(
            self.database.rows(
                "select split_part(model, '.', 3), ledger_id from ops.build_progress"
            )  # type: ignore[arg-type]
        )
