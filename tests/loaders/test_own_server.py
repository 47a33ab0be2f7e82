"""A server of one's own: ordinary roles, names and passwords of any characters, defaults that are not PostgreSQL's."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from sandbox.simulator.server import NOW, SEED, Simulator
from tests.conftest import ROOT, Database, DatabaseMaker

PASSWORD = """p@ss:/%#' "w\\ord $x"""
DAY = "2026-05-07"
LOAD = ("load", "--source", "krx", "--dataset", "ohlcv_daily", "--from", DAY, "--to", DAY)
CELLS = "select distinct status from raw.fetch_cells"


@pytest.fixture
def own(maker: DatabaseMaker) -> Iterator[Database]:
    """A database whose owner is an ordinary role."""
    role, name = f"Team-로더 {maker.run}", f"Markt-한국 #1 {maker.run}"
    with Database(maker.server).connect() as connection:
        connection.execute(
            sql.SQL("create role {} login password {}").format(sql.Identifier(role), PASSWORD)
        )
        connection.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(name), sql.Identifier(role)
            )
        )
    yield Database(
        maker.server | {"PGDATABASE": name, "PGUSER": role, "PGPASSWORD": PASSWORD},
    )
    maker.execute("drop database {} with (force)", name)
    maker.execute("drop role {}", role)


def init(database: Database, **environment: str) -> None:
    done = database.loaders("init", "--sample-now", NOW, "--sample-seed", str(SEED), **environment)
    assert done.returncode == 0, done.stderr


def test_names_and_password_may_hold_any_character(own: Database, simulator: Simulator) -> None:
    init(own)
    done = own.loaders(*LOAD, **simulator.environment)
    assert done.returncode == 0, done.stderr
    assert own.rows(CELLS) == [("SUCCESS",)]


def test_password_may_stand_in_the_password_file(
    own: Database, simulator: Simulator, tmp_path: Path
) -> None:
    """As every client of PostgreSQL reads it: what the loaders know of no password is no password."""
    file = tmp_path / "pgpass"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"*:*:*:*:{escaped}\n", encoding="utf-8")
    file.chmod(0o600)
    without = {"PGPASSWORD": "", "PGPASSFILE": str(file)}
    init(own, **without)
    done = own.loaders(*LOAD, **simulator.environment, **without)
    assert done.returncode == 0, done.stderr
    assert own.rows(CELLS) == [("SUCCESS",)]


def test_defaults_of_the_server_do_not_reach_the_loaders(
    own: Database, simulator: Simulator
) -> None:
    """How the role, its database or the server want dates written is for people."""
    for setting, value in {
        "datestyle": "SQL, DMY",
        "intervalstyle": "sql_standard",
        "bytea_output": "escape",
        "search_path": '"$user"',
        "timezone": "Asia/Seoul",
        "default_transaction_isolation": "repeatable read",
    }.items():
        with own.connect() as connection:
            connection.execute(
                sql.SQL("alter role {} set {} to {}").format(
                    sql.Identifier(own.environment["PGUSER"]), sql.Identifier(setting), value
                )
            )
    init(own)
    done = own.loaders(*LOAD, **simulator.environment)
    assert done.returncode == 0, done.stderr
    assert own.rows(CELLS) == [("SUCCESS",)]


def test_the_roles_of_the_readme_are_enough(maker: DatabaseMaker) -> None:
    """An owner without further rights sets up, a reader reads what is there and what comes later, and nothing else."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    owner, reader = f"warehouse_{maker.run}", f"analyst_{maker.run}"
    roles, grants = (
        block.replace("analyst", reader).replace("warehouse", owner)
        for block in re.findall(r"^```sql\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    )
    with Database(maker.server).connect() as connection:
        for statement in roles.split(";")[:-1]:
            connection.execute(statement.encode())
    owned = Database(
        maker.server | {"PGDATABASE": owner, "PGUSER": owner, "PGPASSWORD": "change me"}
    )
    read = Database(owned.environment | {"PGUSER": reader, "PGPASSWORD": "change me too"})
    try:
        init(owned)
        owned.execute("create view marts.before as select 1 as number")
        owned.execute(grants)
        owned.execute("create table quality.after as select 2 as number")
        assert read.rows("select * from marts.before, quality.after") == [(1, 2)]
        with pytest.raises(InsufficientPrivilege):
            read.rows("select * from raw.fetches")
        with pytest.raises(InsufficientPrivilege):
            read.execute("delete from quality.after")
    finally:
        maker.execute("drop database {} with (force)", owner)
        maker.execute("drop role {}", owner)
        maker.execute("drop role {}", reader)
