"""A TimescaleDB server for tests: the one that TIMESCALE_PGHOST names, else a third party's WebAssembly build where node is."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Database

HERE = Path(__file__).parent
# packages outlive a run: npm has nothing to do in the next one
PACKAGES = ROOT / "build" / "timescale"


@contextmanager
def timescale_database() -> Iterator[Database]:
    """An empty database with the extension; skips the test where neither server can be had."""
    if os.environ.get("TIMESCALE_PGHOST"):
        with named_timescale_database() as database:
            yield database
    else:
        with _webassembly() as database:
            yield database


def initialise(database: Database, *options: str) -> None:
    """Make an empty database a warehouse on the extension, by `python -m loaders init` with these options."""
    database.execute("create extension if not exists timescaledb")
    done = database.loaders("init", *options)
    assert done.returncode == 0, done.stderr


def named_timescale_server() -> Database:
    """The server that TIMESCALE_PGHOST, …PORT, …USER, …PASSWORD and …DATABASE name; without them skips the test."""
    if not os.environ.get("TIMESCALE_PGHOST"):
        pytest.skip(
            "no TIMESCALE_PGHOST: the whole project needs a TimescaleDB server of several connections"
        )
    return Database(
        {
            f"PG{name}": os.environ.get(f"TIMESCALE_PG{name}", usual)
            for name, usual in {
                "HOST": "", "PORT": "5432", "USER": "postgres", "PASSWORD": "", "DATABASE": "postgres",
            }.items()
        }
    )  # fmt: skip


@contextmanager
def named_timescale_database() -> Iterator[Database]:
    """A database of its own on that server."""
    server = named_timescale_server()
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(f"create database {name}")
    try:
        yield Database(server.environment | {"PGDATABASE": name})
    finally:
        with server.connect() as connection:
            connection.execute(f"drop database {name} with (force)")


@contextmanager
def _webassembly() -> Iterator[Database]:
    """A server in memory, one connection at a time; its database is called template1."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no TIMESCALE_PGHOST and no node with npm: nothing here runs TimescaleDB")
    PACKAGES.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "server.mjs"):
        shutil.copy(HERE / name, PACKAGES)
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline"],
        cwd=PACKAGES, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installed.returncode:
        pytest.skip(
            "npm cannot install TimescaleDB's WebAssembly build: " + installed.stderr[-300:]
        )
    server = subprocess.Popen(
        [node, "server.mjs"], cwd=PACKAGES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port = server.stdout.readline().strip()
        assert port, "the WebAssembly server did not start"
        yield Database(
            {
                "PGHOST": "127.0.0.1",
                "PGPORT": port,
                "PGUSER": "postgres",
                "PGPASSWORD": "none is asked for",
                "PGDATABASE": "template1",
                "PGSSLMODE": "disable",
            }
        )
    finally:
        server.stdin.close()
        server.wait(timeout=30)
