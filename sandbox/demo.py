"""The whole way on sample data: simulator, real loaders, dbt, and a look at what came out."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import typer
from psycopg import Connection, sql

from sandbox import warehouse
from sandbox.clone import setting
from sandbox.simulator.market import FIRST_SESSION
from sandbox.simulator.server import running_simulator

WHERE_NEXT = """
This is an invented market: sample data, no real prices. Where to look next:
  make psql                      ask SQL, for example: select * from marts.stocks
  make docs                      the data catalog, build/catalog/index.html
  make help                      every command
  make use DB=warehouse          the database for real data; then: make load && make build
"""
REPLAY = "{replay_snapshots: {from: '', to: ''}}"
# the column that tells a mart's last day, in this order of preference
DAY_COLUMNS = (
    "time",
    "week",
    "month",
    "base_date",
    "collection_date",
    "check_date",
    "date",
    "listing_date",
)


@contextmanager
def vendors() -> Iterator[Mapping[str, str]]:
    """The simulator, running; gives the variables that point the loaders at it, without limits of rate."""
    with running_simulator() as simulator:
        yield simulator.environment


def _show_marts(connection: Connection) -> None:
    columns = connection.execute(
        "select table_name, array_agg(column_name::text) from information_schema.columns"
        " where table_schema = 'marts' group by table_name order by table_name"
    ).fetchall()
    typer.echo(f"\n{'mart':<28}{'rows':>12}   last day")
    for mart, names in columns:
        day = next((name for name in DAY_COLUMNS if name in names), None)
        last_day = (
            sql.SQL("max({})::date::text").format(sql.Identifier(day)) if day else sql.SQL("null")
        )
        row = connection.execute(
            sql.SQL("select count(*), {} from marts.{}").format(last_day, sql.Identifier(mart))
        ).fetchone()
        assert row is not None
        typer.echo(f"{mart:<28}{row[0]:>12,}   {row[1] or '-'}")


def run() -> None:
    """Load and build the sample market in the embedded server's sample database, and show the marts.

    A second run finds everything loaded: it asks the vendors for nothing and builds what is there.

    Raises:
        SandboxError: one of the steps failed.
    """
    named = setting("PGHOST")
    for name in warehouse.LIBPQ:
        os.environ.pop(name, None)  # the demo is always on the embedded server
    database = warehouse.SAMPLE_DATABASE
    server = warehouse.start_server()
    warehouse.prepare_database(server, database)
    warehouse.record_connection(server, database)
    # a PGHOST in .env cannot be taken out of the environment, only overruled
    target = server.environment(database) if warehouse.names_own_server() else {}
    target = {**target, "EMBEDDED_PGDATABASE": database}
    # as the scheduler does it, but from the market's first session on; what costs a request a name and day looks back less
    since = {"COLLECT_SINCE": str(FIRST_SESSION)}
    with vendors() as environment:
        warehouse.run([sys.executable, "-m", "loaders", "load"], {**environment, **target, **since})
    # many days at once: as make replay-snapshots does, their snapshots are taken in order
    dbt = [str(warehouse.programs() / "dbt"), "--quiet", "build", "--vars", REPLAY]
    warehouse.run(dbt, target)
    with server.connect(database) as connection:
        _show_marts(connection)
    typer.echo(WHERE_NEXT)
    if named:
        typer.echo(
            f"PGHOST={named} is set: make psql, load and build go to that server until you unset it."
        )
