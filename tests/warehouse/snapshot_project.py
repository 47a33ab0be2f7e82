"""The real snapshots, with their macros and views, over inputs that a test writes: what became known, and when.

Every input is a table of words: at `known_at` a key was said to be so, or, with `is_there` false, to be gone.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from tests import programs
from tests.conftest import ROOT, Database

REAL = (
    "dbt_project.yml", "macros", "snapshots", "tests/generic", "models/docs/columns.md", "models/staging/audit",
    "models/staging/ledger", "models/intermediate/snapshots", "models/quality/snapshot_dates_waiting.sql",
    "models/quality/_snapshot_dates__models.yml", "seeds/quality/reviewed_exceptions.csv",
    "seeds/quality/_quality__seeds.yml",
)  # fmt: skip
COLUMNS = {
    "stocks": {
        "stock_code": "varchar(10)", "stock_name": "varchar(100)", "market": "varchar(10)", "segment": "varchar(20)",
        "security_type": "varchar(30)", "listed_shares": "bigint", "state_date": "date",
    },
    "stock_sectors": {"classification": "varchar(10)", "stock_code": "varchar(10)", "sector_id": "integer"},
    "index_components": {"index_name": "varchar(50)", "stock_code": "varchar(10)", "effective_date": "date"},
    "floating_shares": {
        "stock_code": "varchar(10)", "base_date": "date", "total_shares": "bigint", "floating_shares": "bigint",
        "floating_ratio": "numeric(5,2)",
    },
}  # fmt: skip
KEYS = {
    "stocks": "stock_code",
    "stock_sectors": "classification, stock_code",
    "index_components": "index_name, stock_code",
    "floating_shares": "stock_code",
}
KNOWN = """
    select * from (
        select *, {is_active} known_at as known_from,
            lead(known_at) over (partition by {key} order by known_at) as known_to, 'OBSERVED'::varchar(10) as known_basis
        from words.{table}
    ) as spans where {condition}
"""
CALENDAR = """
    select day::date as date, extract(isodow from day) < 6 as is_session
    from generate_series(timestamp '2023-12-01', timestamp '2024-12-31', '1 day') as day
"""
TABLES = {
    "snap_stocks": "stock_code, stock_name, market, sector_id, listed_shares",
    "snap_index_components": "index_name, stock_code, effective_date::text",
    "snap_floating_shares": "stock_code, base_date::text, floating_shares",
}


@dataclass(frozen=True)
class SnapshotProject:
    """The project in a folder; `database` is the one that it works on."""

    folder: Path
    database: Database

    @classmethod
    def write(cls, folder: Path, database: Database) -> "SnapshotProject":
        """Copy the real files, write the inputs beside them and return the project."""
        for name in REAL:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        for table, key in KEYS.items():
            is_stock = table == "stocks"
            query = KNOWN.format(
                table=table, key=key, is_active="is_there as is_active," if is_stock else "",
                condition="true" if is_stock else "is_there",
            )  # fmt: skip
            (folder / "models" / f"int_{table}__known.sql").write_text(query, encoding="utf-8")
        (folder / "models" / "trading_calendar.sql").write_text(CALENDAR, encoding="utf-8")
        return cls(folder, database).on(database)

    def on(self, database: Database) -> "SnapshotProject":
        """The same project on another database, with empty inputs."""
        with database.connect() as connection:
            connection.execute("create schema if not exists words")
            for table, columns in COLUMNS.items():
                named = ", ".join(f"{name} {kind}" for name, kind in columns.items())
                connection.execute(
                    f"create table words.{table} (known_at timestamptz, is_there boolean, {named})"
                )
        return SnapshotProject(self.folder, database)

    def say(self, table: str, known_at: str, *, is_there: bool = True, **values: object) -> None:
        """A word about a key that became known at a moment, KST."""
        row = {"known_at": known_at + "+09", "is_there": is_there, **values}
        with self.database.connect() as connection:
            connection.execute(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier("words", table),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row)),
                ),
                list(row.values()),
            )

    def answer(
        self, day: str, at: str, status: str = "SUCCESS", *, dataset: str | None = None
    ) -> None:
        """The ledger's word that the answers of a day came, or failed to, at a moment (KST); all datasets or one."""
        all_datasets = ("stocks", "sectors", "index_components", "floating_shares")
        with self.database.connect() as connection:
            for name in (dataset,) if dataset else all_datasets:
                connection.execute(
                    "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status,"
                    " started_at, completed_at, published_at) values (1, 'test', %s, 'ALL', %s, %s, %s, %s, %s)",
                    (name, day, status, at + "+09", at + "+09", day + " 15:30+09"),
                )

    def dbt(self, **replay: str) -> subprocess.CompletedProcess[str]:
        """`dbt build`; with a mapping for the var replay_snapshots what `make replay-snapshots` runs."""
        asked = ["--vars", json.dumps({"replay_snapshots": replay})] if replay else []
        return programs.run(
            ["dbt", "--no-use-colors", "build", *asked],
            folder=self.folder,
            environment=self.database.process_environment()
            | {"DBT_PROFILES_DIR": str(ROOT / "profiles")},
        )

    def build(self, **replay: str) -> str:
        """The same, to a good end; returns what dbt printed."""
        done = self.dbt(**replay)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def history(self) -> dict[str, list[tuple[object, ...]]]:
        """Rows of the snapshots with the span of business dates, in a fixed order."""
        return {
            table: self.database.rows(
                f"select {columns}, known_from::text, known_to::text from snapshots.{table} order by 1, 2, known_from"
            )
            for table, columns in TABLES.items()
        }

    def everything(self) -> list[tuple[object, ...]]:
        """Every row, dbt's own columns included, and how far the snapshots are: unchanged when nothing was written."""
        return self.database.rows(
            "select * from ("
            + " union all ".join(
                f"select to_jsonb(t)::text as t from snapshots.{t} t" for t in TABLES
            )
            + " union all select snapshot_name || business_date from ops.snapshot_progress) as rows order by 1"
        )
