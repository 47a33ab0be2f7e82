"""One place that knows which PostgreSQL database the warehouse is in."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import tuple_row

from loaders.calendar import KST
from loaders.config import DatabaseSettings
from loaders.errors import DatabaseError

SESSION = (
    # psycopg reads moments and intervals in these forms only, and raw text with a date in it means the same everywhere
    "set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres';"
    # who waited for a lock has to see what the one before him wrote
    " set default_transaction_isolation = 'read committed'"
)
"""What a session relies on and the defaults of a server, a database or a role may say otherwise."""


def connection_parameters() -> dict[str, str]:
    """Parameters of libpq for the current database.

    Returns:
        `host`, `port`, `user`, `password`, `dbname` and, for a named server, `sslmode` where given.

    Raises:
        DatabaseError: neither `PGHOST` is set nor was the embedded server ever started here.
    """
    settings = DatabaseSettings()
    if settings.pghost:
        parameters = {
            "host": settings.pghost,
            "port": str(settings.pgport),
            "dbname": settings.pgdatabase,
            "user": settings.pguser,
            "password": settings.pgpassword.get_secret_value() if settings.pgpassword else None,
            "sslmode": settings.pgsslmode,
        }
    elif settings.embedded_pgport:
        password = settings.embedded_pgpassword
        parameters = {
            "host": "127.0.0.1",
            "port": str(settings.embedded_pgport),
            "dbname": settings.embedded_pgdatabase,
            "user": settings.embedded_pguser,
            "password": password.get_secret_value() if password else None,
        }
    else:
        raise DatabaseError("no database: run `make up` for the embedded one, or set PGHOST")
    return {key: value for key, value in parameters.items() if value is not None}


def connect(*, autocommit: bool = True, application_name: str = "loaders") -> psycopg.Connection:
    """Open a connection to the current database.

    Raises:
        DatabaseError: the server is down or refuses; the message names host, port and database.
    """
    parameters = connection_parameters()
    try:
        connection = psycopg.connect(
            **parameters,  # type: ignore[arg-type]
            autocommit=True,
            application_name=application_name,
            connect_timeout=10,
            row_factory=tuple_row,
        )
        # by statements and not as options of the connection, which a pooler in between refuses
        connection.execute(SESSION)
        connection.autocommit = autocommit
    except psycopg.OperationalError as error:
        place = "{host}:{port}/{dbname}".format(**{"dbname": "", **parameters})
        # libpq asks on a line of its own whether the server is running; what to do is said below
        told = [line.strip() for line in str(error).strip().splitlines()]
        reason = [line for line in told if not line.startswith("Is the server running")][-1]
        raise DatabaseError(
            f"cannot reach PostgreSQL at {place} ({reason}); run `make up`, or check PGHOST and the server"
        ) from None
    return connection


@dataclass(frozen=True)
class Warehouse:
    """What kind of data a database holds, and its clock.

    Attributes:
        is_sample: the database holds the sample market of the vendor simulator.
        sample_now: the frozen clock of a sample database; a real one has none.
    """

    is_sample: bool
    sample_now: datetime | None

    def now(self) -> datetime:
        """The current time in KST: the frozen clock of a sample database, else the machine's."""
        return self.sample_now.astimezone(KST) if self.sample_now else datetime.now(KST)


def read_warehouse(connection: psycopg.Connection) -> Warehouse:
    """Read what kind of database this is.

    Raises:
        DatabaseError: the database was never initialised.
    """
    try:
        row = connection.execute("select kind, sample_now from ops.warehouse").fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if row is None:
        raise DatabaseError(
            "this database is not set up: run `make up` (or `python -m loaders init`)"
        )
    return Warehouse(is_sample=row[0] == "SAMPLE", sample_now=row[1])
