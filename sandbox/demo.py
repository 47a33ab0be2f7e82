"""The whole way on sample data: simulator, real loaders, dbt, and a look at what came out."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import typer
from psycopg import sql

from loaders.config import PROJECT_ROOT
from loaders.database import connect
from sandbox.errors import SandboxError
from sandbox.simulator.market import FIRST_SESSION, LAST_SESSION
from sandbox.simulator.server import NOW, SEED, running_simulator

DATABASE = "demo"
MARTS = (
    ("stocks", "listing_date"),
    ("trading_calendar", "date"),
    ("ohlcv_daily", "time"),
    ("market_cap_daily", "time"),
    ("investor_trading", "time"),
    ("investor_trading_detail", "time"),
    ("data_collection_logs", "collection_date"),
    ("data_quality_checks", "check_date"),
)
WHERE_NEXT = """
This is an invented market: sample data, no real prices. Where to look next:
  make psql                      ask SQL, for example: select * from marts.stocks
  make docs                      the data catalog, build/catalog/index.html
  python -m loaders sources      real sources, and how to get access
  make use DB=warehouse          the database for real data; then: make load && dbt build
"""


@contextmanager
def vendors() -> Iterator[Mapping[str, str]]:
    """The simulator, running; gives the variables that point the loaders at it."""
    with running_simulator() as simulator:
        yield simulator.environment


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    code = subprocess.run(  # noqa: S603 - our own programs
        command, cwd=PROJECT_ROOT, env={**os.environ, **(environment or {})}, check=False
    ).returncode
    if code:
        raise SandboxError(f"`{' '.join(command)}` ended with {code}; the lines above say why")


def _show_marts() -> None:
    with connect() as connection:
        typer.echo(f"\n{'mart':<26}{'rows':>10}   newest")
        for mart, day_column in MARTS:
            row = connection.execute(
                sql.SQL("select count(*), max({})::text from marts.{}").format(
                    sql.Identifier(day_column), sql.Identifier(mart)
                )
            ).fetchone()
            assert row is not None
            typer.echo(f"{mart:<26}{row[0]:>10,}   {row[1] or '-'}")


def run() -> None:
    """Load and build the sample market in the database `demo`, and show the marts.

    Raises:
        SandboxError: one of the steps failed.
    """
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"):
        os.environ.pop(name, None)  # the demo is always on the embedded server
    python = sys.executable
    _run(python, "-m", "sandbox", "use", DATABASE)
    _run(python, "-m", "loaders", "init", "--sample-now", NOW, "--sample-seed", str(SEED))
    with vendors() as environment:
        days = ("--from", str(FIRST_SESSION), "--to", str(LAST_SESSION))
        _run(python, "-m", "loaders", "load", *days, environment=environment)
    _run(os.path.join(os.path.dirname(python), "dbt"), "--quiet", "build")  # noqa: PTH118, PTH120
    _show_marts()
    typer.echo(WHERE_NEXT)
