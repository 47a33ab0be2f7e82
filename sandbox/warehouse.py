"""The databases of this clone: which server is meant, which database is current, and what kind of data it holds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg

from sandbox.clone import ROOT, record, setting
from sandbox.embedded import USER, EmbeddedServer, state_folder
from sandbox.errors import SandboxError

LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE")
"""The libpq variables that name a server and a database."""

REAL_DATABASE = "warehouse"
SAMPLE_DATABASE = "demo"


def names_own_server() -> bool:
    """Whether the user works on a server of his own, named by `PGHOST`."""
    return bool(setting("PGHOST"))


def clone_server() -> EmbeddedServer:
    """The embedded server of this clone."""
    return EmbeddedServer(state_folder(ROOT))


def current_database() -> str:
    """Name of the embedded server's database that commands work on."""
    return setting("EMBEDDED_PGDATABASE", REAL_DATABASE)


def start_server() -> EmbeddedServer:
    """Start the embedded server unless it runs, and record in `.env` how to reach it."""
    server = clone_server()
    wanted = setting("EMBEDDED_PGPORT")
    if wanted and not (wanted.isdecimal() and 0 < int(wanted) < 65536):
        raise SandboxError(
            f"EMBEDDED_PGPORT={wanted} is no port; correct or remove the line in .env"
        )
    port = server.start(int(wanted) if wanted else None)
    if wanted and int(wanted) != port:
        sys.stderr.write(
            f"the embedded server listens on {port}, not on {wanted}; "
            "to move it: make down, change EMBEDDED_PGPORT in .env, make up\n"
        )
    record_connection(server)
    return server


def record_connection(server: EmbeddedServer, database: str | None = None) -> None:
    """Write to `.env` what the loaders and dbt need to reach the embedded server."""
    record(
        {
            # dbt reads .env from the folder it runs in: this makes a bare `dbt build` work
            "DBT_PROFILES_DIR": "profiles",
            "EMBEDDED_PGPORT": str(server.port),
            "EMBEDDED_PGUSER": USER,
            "EMBEDDED_PGPASSWORD": server.password,
            "EMBEDDED_PGDATABASE": database or current_database(),
        }
    )


def initialise(environment: dict[str, str], *options: str) -> None:
    """Create schemas, ledger and raw tables in a database, by the loaders' own command.

    Raises:
        SandboxError: it failed; the command has said why.
    """
    run([sys.executable, "-m", "loaders", "init", *options], environment)


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run one of the project's commands in its root.

    Raises:
        SandboxError: it failed; it has said why itself, so the message is empty.
    """
    code = subprocess.run(  # noqa: S603  the commands are our own
        command, cwd=ROOT, env={**os.environ, **environment}, check=False
    ).returncode
    if code != 0:
        raise SandboxError("")


def _sample_options() -> tuple[str, ...]:
    """Mark a database as sample data, with the clock and the seed of the simulator's market."""
    from sandbox.simulator.server import NOW, SEED  # noqa: PLC0415  only the sample database needs it

    return ("--sample-now", NOW, "--sample-seed", str(SEED))


def prepare_database(server: EmbeddedServer, name: str) -> bool:
    """Create a database of the embedded server where it is missing, and complete what it must hold.

    Returns:
        Whether it was created now.

    Raises:
        SandboxError: the name is no name for a database, or the loaders refused.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise SandboxError(
            f"{name!r} is no name for a database: use lower-case letters, digits and _"
        )
    is_new = server.ensure_database(name)
    initialise(server.environment(name), *(_sample_options() if name == SAMPLE_DATABASE else ()))
    return is_new


def bring_up() -> None:
    """Start what is not running and complete the current database; on a named server, complete that one only."""
    if names_own_server():
        record({"DBT_PROFILES_DIR": "profiles"})
        initialise({})
    else:
        prepare_database(start_server(), current_database())


def bring_up_if_down() -> None:
    """What `make psql` and `make load` do first: nothing at all when the server runs and is recorded."""
    if names_own_server():
        return
    server = clone_server()
    if server.port is None:
        bring_up()
    elif setting("EMBEDDED_PGPORT") != str(server.port):
        start_server()  # .env was lost or replaced


def connection_environment() -> dict[str, str]:
    """The libpq variables of the current database, for programs such as psql."""
    if not names_own_server():
        return clone_server().environment(current_database())
    found = {name: setting(name) for name in LIBPQ}
    # libpq would take the user's name for the database's; the loaders' default is this one
    found["PGDATABASE"] = found["PGDATABASE"] or REAL_DATABASE
    return {name: value for name, value in found.items() if value}


def _connect(environment: dict[str, str]) -> psycopg.Connection:
    return psycopg.connect(
        host=environment["PGHOST"],
        port=environment.get("PGPORT"),
        user=environment.get("PGUSER"),
        password=environment.get("PGPASSWORD"),
        dbname=environment["PGDATABASE"],
        sslmode=environment.get("PGSSLMODE"),
        connect_timeout=10,
    )


def kind_of_data(environment: dict[str, str]) -> str:
    """What a database holds.

    Returns:
        `REAL` or `SAMPLE`; empty for a database that is not set up or cannot be reached.
    """
    try:
        with _connect(environment) as connection:
            row = connection.execute("select kind from ops.warehouse").fetchone()
    except psycopg.Error:
        return ""
    return str(row[0]) if row else ""


def describe(environment: dict[str, str]) -> str:
    """One line on a database, for people: name, kind of data, place."""
    kind = {
        "REAL": "real data",
        "SAMPLE": "SAMPLE data, an invented market",
        "": "not set up: run `make up`",
    }[kind_of_data(environment)]
    place = f"{environment['PGHOST']}:{environment.get('PGPORT', '5432')}"
    return f"database {environment['PGDATABASE']} ({kind}) on {place}"


def programs() -> Path:
    """The folder of this environment's commands, such as dbt."""
    return Path(sys.executable).parent
