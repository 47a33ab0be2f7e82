"""Fixtures shared by all tests: a throw-away PostgreSQL, databases cut from one template, the simulator, dbt."""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from sandbox.embedded import EmbeddedServer
from sandbox.simulator.server import NOW, SEED, Simulator, running_simulator

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Database:
    """A database of its own for one module; `environment` names it to any program."""

    environment: dict[str, str]

    def connect(self) -> psycopg.Connection:
        """Open an autocommit connection."""
        e = self.environment
        return psycopg.connect(
            host=e["PGHOST"],
            port=e["PGPORT"],
            user=e["PGUSER"],
            password=e["PGPASSWORD"],
            dbname=e["PGDATABASE"],
            autocommit=True,
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of a query."""
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def loaders(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m loaders`."""
        return subprocess.run(
            [sys.executable, "-m", "loaders", *arguments],
            cwd=ROOT,
            env=self.process_environment() | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dbt with folders of its own, so that tests do not get into each other's way."""
        folder = ROOT / "build" / "dbt" / self.environment["PGDATABASE"]
        dbt = Path(sys.executable).parent / "dbt"
        return subprocess.run(
            [dbt, *arguments, "--target-path", folder / "target", "--log-path", folder / "logs"],
            cwd=ROOT,
            env=self.process_environment() | {"DBT_PROFILES_DIR": "profiles"},
            capture_output=True,
            text=True,
            check=False,
        )

    def process_environment(self) -> dict[str, str]:
        """The user's environment without vendors' settings, pointed at this database."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "INFOMAX_", "KRX_", "MARCAP_", "DBT_", "EMBEDDED_"))
        }
        return kept | self.environment | {"HTTP_BACKOFF_SECONDS": "0.01", "HTTP_ATTEMPTS": "3"}


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, str]]:
    """Connection variables of one throw-away server for the whole run."""
    # below /var/tmp: the server's unprivileged user must be able to reach it
    folder = Path(tempfile.mkdtemp(prefix="warehouse-tests-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = EmbeddedServer(folder / "server")
    try:
        server.start(durable=False)
        yield server.environment("postgres")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def new_database(server: dict[str, str]) -> Iterator[Callable[..., Database]]:
    """Makes databases that are initialised and dropped with the module."""
    made: list[str] = []

    def make(*, sample: bool = False) -> Database:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(autocommit=True, **_libpq(server)) as connection:
            connection.execute(f"create database {name}")
        made.append(name)
        database = Database(server | {"PGDATABASE": name})
        options = ["--sample-now", NOW, "--sample-seed", str(SEED)] if sample else []
        done = database.loaders("init", *options)
        assert done.returncode == 0, done.stderr
        return database

    yield make
    with psycopg.connect(autocommit=True, **_libpq(server)) as connection:
        for name in made:
            connection.execute(f"drop database {name} with (force)")
            shutil.rmtree(ROOT / "build" / "dbt" / name, ignore_errors=True)


def _libpq(server: dict[str, str]) -> dict[str, str]:
    return {
        "host": server["PGHOST"],
        "port": server["PGPORT"],
        "user": server["PGUSER"],
        "password": server["PGPASSWORD"],
        "dbname": "postgres",
    }


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A running vendor simulator."""
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of recorded market data beside the project, where there is one."""
    if not REAL_DATA.is_dir():
        pytest.skip("no ../shared/data beside the project: recorded market data are not part of it")
    return REAL_DATA
