"""What every test may use: a throw-away PostgreSQL server, databases on it, dbt, and the real data where it is at hand."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from psycopg import sql
from sandbox.accounts import server_account
from sandbox.embedded import EmbeddedServer
from sandbox.simulator.server import NOW, SEED

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = ROOT.parent / "shared/data"


@dataclass(frozen=True)
class Database:
    """A database of the test server.

    Attributes:
        environment: the libpq variables that name it; enough for the loaders, dbt and psql.
    """

    environment: dict[str, str]

    @property
    def name(self) -> str:
        return self.environment["PGDATABASE"]

    def connect(self) -> psycopg.Connection:
        """A connection in autocommit mode; `with database.connect() as connection:` closes it."""
        return psycopg.connect(
            host=self.environment["PGHOST"],
            port=self.environment["PGPORT"],
            user=self.environment["PGUSER"],
            password=self.environment.get("PGPASSWORD"),
            dbname=self.name,
            autocommit=True,
        )

    def rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows that a query gives."""
        with self.connect() as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def run(
        self, *arguments: str, environment: dict[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """`python ARGUMENTS` in the root on this database, for example `run("-m", "loaders", "load")`."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@dataclass
class PostgresServer:
    """The server of this test run, and what was made on it."""

    environment: dict[str, str]
    made: list[str] = field(default_factory=list)

    def database(self, name: str) -> Database:
        return Database({**self.environment, "PGDATABASE": name})

    def create(self, name: str, template: str = "template1") -> Database:
        """A new database: a file copy of the template, 0.06 s for all the raw tables."""
        statement = sql.SQL("create database {} template {} strategy file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        self.drop(name)
        with self.database("postgres").connect() as connection:
            connection.execute(statement)
        self.made.append(name)
        return self.database(name)

    def drop(self, name: str) -> None:
        with self.database("postgres").connect() as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A temporary folder that the server's user can reach: pytest's own is closed to everybody but root."""
    folder = Path(tempfile.mkdtemp(prefix="warehouse-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(scratch: Path) -> Iterator[PostgresServer]:
    """One server for the whole run: the one that TEST_PGHOST names, else an embedded one of its own."""
    if host := os.environ.get("TEST_PGHOST"):
        server = PostgresServer(
            {
                "PGHOST": host,
                "PGPORT": os.environ.get("TEST_PGPORT", "5432"),
                "PGUSER": os.environ.get("TEST_PGUSER", "postgres"),
                "PGPASSWORD": os.environ.get("TEST_PGPASSWORD", ""),
                "PGSSLMODE": os.environ.get("TEST_PGSSLMODE", "prefer"),
            }
        )
        yield server
        for name in server.made:
            server.drop(name)
        return
    embedded = EmbeddedServer(scratch / "server")
    account = server_account(embedded.state)
    if not account.can_enter(scratch):
        pytest.fail(f"user {account.name} cannot reach {scratch}; name an open folder as TMPDIR")
    embedded.start(durable=False)
    try:
        yield PostgresServer(embedded.environment("postgres"))
    finally:
        embedded.stop()


@pytest.fixture(scope="session")
def template(postgres_server: PostgresServer) -> Callable[[bool], str]:
    """Name of an initialised empty database to copy: a real one, or with True a sample one."""
    made: dict[bool, str] = {}

    def build(is_sample: bool) -> str:
        if is_sample not in made:
            name = f"test_template_{'sample' if is_sample else 'real'}"
            database = postgres_server.create(name)
            options = ["--sample-now", NOW, "--sample-seed", str(SEED)] if is_sample else []
            answer = database.run("-m", "loaders", "init", *options)
            assert answer.returncode == 0, answer.stdout + answer.stderr
            made[is_sample] = name
        return made[is_sample]

    return build


@pytest.fixture(scope="module")
def make_database(
    postgres_server: PostgresServer, template: Callable[[bool], str], request: pytest.FixtureRequest
) -> Callable[..., Database]:
    """Makes initialised, empty databases: `make_database()`, `make_database("other", is_sample=True)`.

    They stay until the server is gone, so that a failed test's database can be looked at with --pdb.
    """
    module = request.module.__name__.replace(".", "_").lower()

    def make(suffix: str = "", *, is_sample: bool = False) -> Database:
        name = f"{module}_{suffix}" if suffix else module
        return postgres_server.create(name[-63:], template(is_sample))

    return make


@pytest.fixture(scope="module")
def database(make_database: Callable[..., Database]) -> Database:
    """An initialised, empty database for real data; one a module."""
    return make_database()


@pytest.fixture(scope="module")
def sample_database(make_database: Callable[..., Database]) -> Database:
    """An initialised, empty database for sample data with the simulator's frozen clock; one a module."""
    return make_database("sample", is_sample=True)


@dataclass(frozen=True)
class DbtRun:
    """What a dbt command left.

    Attributes:
        success: whether everything passed.
        result: dbt's own result, with `.results` for build, run and test.
        error: why dbt could not even start, or None.
        target: the folder with manifest.json and run_results.json.
    """

    success: bool
    result: Any
    error: BaseException | None
    target: Path

    def statuses(self) -> dict[str, str]:
        """Status of every node by its name."""
        return {item.node.name: str(item.status) for item in self.result.results}

    def problems(self) -> str:
        """The names and messages of what did not pass, for assert messages."""
        if self.error:
            return str(self.error)
        bad = [
            f"{item.node.name}: {item.status}: {item.message}"
            for item in getattr(self.result, "results", [])
            if item.status in ("error", "fail", "runtime error")
        ]
        return "\n".join(bad)


@pytest.fixture(scope="session")
def run_dbt(scratch: Path) -> Callable[..., DbtRun]:
    """Runs dbt in this process: `run_dbt(database, "build", "--select", "stocks")`.

    A start of the command line costs 6 to 12 s, the second run in one process 2 s. Each database has its own target
    folder, since the parsed project names the database it was parsed for. With `check=False` a failure is returned
    instead of failing the test.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415  three seconds that not every test run needs

    def run(
        database: Database,
        *arguments: str,
        check: bool = True,
        environment: dict[str, str] | None = None,
    ) -> DbtRun:
        work = scratch / "dbt" / database.name
        # dbt reads .env into this process's environment: patch.dict takes that back too
        with patch.dict(os.environ, {**database.environment, **(environment or {})}):
            outcome = dbtRunner().invoke(
                [
                    "--quiet", "--no-use-colors", "--log-path", str(work / "logs"), arguments[0],
                    "--project-dir", str(ROOT), "--profiles-dir", str(ROOT / "profiles"),
                    "--target-path", str(work / "target"), *arguments[1:],
                ]
            )  # fmt: skip
        done = DbtRun(outcome.success, outcome.result, outcome.exception, work / "target")
        if check and not done.success:
            pytest.fail(f"dbt {' '.join(arguments)} failed:\n{done.problems()}", pytrace=False)
        return done

    return run


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data beside the project; tests that need it skip where there is none."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data: {REAL_DATA.parent.name}/{REAL_DATA.name} is not beside the project")
    return REAL_DATA
