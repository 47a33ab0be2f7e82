"""Fixtures shared by all tests: a throw-away PostgreSQL, databases cut from one template, the simulator, dbt."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sandbox.accounts import server_account
from sandbox.embedded import EmbeddedServer
from sandbox.simulator.server import NOW, SEED, Simulator, running_simulator
from tests import programs

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"
# settings of the user's own that must not leak into a test
FOREIGN = (
    "PG", "INFOMAX_", "KIS_", "KIWOOM_", "KRX_", "WICS_", "FNGUIDE_", "MARCAP_", "DBT_", "EMBEDDED_", "WAREHOUSE_",
)  # fmt: skip

WITHOUT_UNIT_TESTS = {"DBT_EXCLUDE_RESOURCE_TYPES": "unit_test"}
# what goes wrong stands in what dbt prints; a log of every statement and JSON of every node take time that no test has use of
WITHOUT_FILES = {"DBT_LOG_LEVEL_FILE": "none", "DBT_WRITE_JSON": "false"}


@dataclass(frozen=True)
class Database:
    """A database of its own for one module; `environment` names it to any program (the libpq variables)."""

    environment: dict[str, str]

    def connect(self) -> psycopg.Connection:
        """Open an autocommit connection."""
        named = self.environment
        return psycopg.connect(
            host=named["PGHOST"],
            port=named["PGPORT"],
            user=named["PGUSER"],
            password=named["PGPASSWORD"],
            dbname=named["PGDATABASE"],
            sslmode=named.get("PGSSLMODE", "prefer"),
            autocommit=True,
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of a query."""
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def execute(self, statements: str) -> None:
        """Run statements that return nothing."""
        with self.connect() as connection:
            connection.execute(statements)

    def loaders(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m loaders`."""
        return self._run(["loaders", *arguments], environment)

    def report(self, page: Path) -> subprocess.CompletedProcess[str]:
        """Run `python -m ops.report`."""
        return programs.run_whole(
            ["ops.report", "--output", str(page)],
            folder=ROOT,
            environment=self.process_environment(),
        )

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dbt with folders of its own, so that tests do not get into each other's way.

        Unit tests know no data: they run once, in the test of their own, and in `make demo`.
        """
        folder = ROOT / "build" / "dbt" / self.environment["PGDATABASE"]
        places = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
        return self._run(
            ["dbt", *arguments, *places],
            {"DBT_PROFILES_DIR": "profiles"} | WITHOUT_UNIT_TESTS,
        )

    def build(
        self, *relations: str, options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Build these relations with all they are made of, and run the tests that need nothing else.

        A third of the whole project, mostly; that all of it builds together is shown by the whole sample market, by the
        damaged one, and by thirty years' files.
        """
        return self.dbt(
            "build",
            "--indirect-selection",
            "buildable",
            "--select",
            *(f"+{name}" for name in relations),
            *options,
        )

    def process_environment(self) -> dict[str, str]:
        """The user's environment without vendors' settings, pointed at this database."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        quick = {"HTTP_BACKOFF_SECONDS": "0.01", "HTTP_ATTEMPTS": "3"}
        return kept | self.environment | quick | WITHOUT_FILES

    def _run(
        self, command: list[str], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return programs.run(
            command, folder=ROOT, environment=self.process_environment() | environment
        )


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for the run that the server's unprivileged user can reach; pytest's own is closed to it."""
    base = Path(tempfile.gettempdir())
    account = server_account(base / "not-made-yet")
    if not account.can_enter(base):
        base = Path("/var/tmp")
    folder = Path(tempfile.mkdtemp(prefix="warehouse-tests-", dir=base))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(scratch: Path) -> Iterator[dict[str, str]]:
    """Connection variables of one server for the whole run: the one that TEST_PGHOST names, else a throw-away one."""
    if host := os.environ.get("TEST_PGHOST"):
        yield {
            "PGHOST": host,
            "PGPORT": os.environ.get("TEST_PGPORT", "5432"),
            "PGUSER": os.environ.get("TEST_PGUSER", "postgres"),
            "PGPASSWORD": os.environ.get("TEST_PGPASSWORD", ""),
            "PGDATABASE": os.environ.get("TEST_PGDATABASE", "postgres"),
        }
        return
    embedded = EmbeddedServer(scratch / "server")
    embedded.start(durable=False)
    try:
        yield embedded.environment("postgres")
    finally:
        embedded.stop()


@dataclass(frozen=True)
class DatabaseMaker:
    """Makes and drops databases on the test server.

    A name is used again when its database is gone: dbt's parsed project holds the name of the database and is read again by
    the next module, which saves five seconds a database.
    """

    server: dict[str, str]
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    taken: set[int] = field(default_factory=set)

    def execute(self, statement: str, *names: str) -> None:
        with Database(self.server).connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def create(self, template: str = "template0") -> Database:
        number = next(number for number in count() if number not in self.taken)
        self.taken.add(number)
        name = f"test_{self.run}_{number}"
        self.execute("create database {} template {} strategy file_copy", name, template)
        return Database(self.server | {"PGDATABASE": name})

    def drop(self, database: Database) -> None:
        name = database.environment["PGDATABASE"]
        self.execute("drop database if exists {} with (force)", name)
        self.taken.discard(int(name.rpartition("_")[2]))


@pytest.fixture(scope="session")
def maker(postgres_server: dict[str, str]) -> Iterator[DatabaseMaker]:
    """The one that makes all databases of this run."""
    made = DatabaseMaker(postgres_server)
    yield made
    for folder in (ROOT / "build" / "dbt").glob(f"test_{made.run}_*"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(maker: DatabaseMaker) -> Iterator[Callable[[bool], str]]:
    """Name of an initialised, empty database to copy from: with True one for sample data."""
    made: list[Database] = []

    @cache
    def initialised(sample: bool) -> str:
        database = maker.create()
        made.append(database)
        options = ["--sample-now", NOW, "--sample-seed", str(SEED)] if sample else []
        done = database.loaders("init", *options)
        assert done.returncode == 0, done.stderr
        return database.environment["PGDATABASE"]

    yield initialised
    for database in made:
        maker.drop(database)


@pytest.fixture(scope="module")
def new_database(
    maker: DatabaseMaker, template: Callable[[bool], str]
) -> Iterator[Callable[..., Database]]:
    """Makes databases that are initialised, and dropped with the module: `new_database(sample=True)`."""
    made: list[Database] = []

    def make(*, sample: bool = False) -> Database:
        # a file copy takes 0.06 s, an initialisation 2 s
        made.append(maker.create(template(sample)))
        return made[-1]

    yield make
    for database in made:
        maker.drop(database)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A running vendor simulator."""
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="module")
def simulator_without_portal(simulator: Simulator) -> Simulator:
    """The simulator as a user meets it who has not switched the exchange's portal on, a second way to many things."""
    portal = ("KRX_PORTAL_", "KRX_ID", "KRX_PASSWORD")
    kept = {n: v for n, v in simulator.environment.items() if not n.startswith(portal)}
    return replace(simulator, environment=kept)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of recorded market data beside the project, where there is one."""
    if not REAL_DATA.is_dir():
        pytest.skip("no ../shared/data beside the project: recorded market data are not part of it")
    return REAL_DATA
