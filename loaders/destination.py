"""Arrow tables into the schema `raw`, through dlt: parquet files copied by ADBC.

dlt falls back to slow INSERTs with only a log line when ADBC does not work, so it is tried before the first load and the
format of every finished job is looked at. Each load uses a fresh pipeline folder: a package that a killed load left
behind can never block the next one, and what it already copied is not in the ledger, hence invisible.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

# dlt is configured by the environment, and these settings are the warehouse's, not the user's
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID"] = "true"
os.environ["DATA_WRITER__COMPRESSION"] = (
    "none"  # files live for a second: packing them costs more than the space
)
# the server takes one group in while the next is made ready; of one group for all, either waits for the other
os.environ["DATA_WRITER__ROW_GROUP_SIZE"] = "16384"
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")

import adbc_driver_postgresql.dbapi
import dlt
from dlt.common.configuration import configspec
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from psycopg.conninfo import make_conninfo

from loaders.database import connection_parameters
from loaders.errors import DatabaseError

SCHEMA = "raw"


def connection_string() -> str:
    """How libpq itself is told: words and not a URI, in which it and others quote names and passwords differently."""
    return make_conninfo(**connection_parameters(), connect_timeout="10")


@configspec(init=False)
class _Credentials(PostgresCredentials):  # type: ignore[misc]  # dlt has no types
    """The current database for dlt, which would make a URI of it, and show that with the password where it cannot be read."""

    def to_native_representation(self) -> str:
        return connection_string()


def _credentials() -> PostgresCredentials:
    credentials = _Credentials()
    parameters = connection_parameters()
    # dlt insists on all of them; it connects by the string above
    credentials.host = parameters["host"]
    credentials.port = int(parameters["port"])
    credentials.database = parameters["dbname"]
    credentials.username = parameters.get("user", "unused")
    credentials.password = "unused"  # noqa: S105  libpq finds the real one, in a password file too
    credentials.resolve()  # what is resolved dlt takes as it is, else it makes another one of the words
    return credentials


def check_adbc() -> None:
    """Make sure that the fast way in works before anything is fetched.

    Raises:
        DatabaseError: the ADBC driver is missing or cannot connect.
    """
    try:
        with (
            adbc_driver_postgresql.dbapi.connect(connection_string()) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("select 1")
    except adbc_driver_postgresql.dbapi.OperationalError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise DatabaseError(
            f"the ADBC driver for PostgreSQL cannot connect ({reason}); check the server"
        ) from None
    except Exception as error:
        raise DatabaseError(
            f"the ADBC driver for PostgreSQL does not work ({type(error).__name__}); run `make setup`"
        ) from None


def append(tables: Mapping[str, Sequence[pa.Table]]) -> str:
    """Append Arrow tables to raw tables; returns dlt's load id once the package is complete.

    Args:
        tables: raw table name to Arrow tables with the columns of that raw table.

    Raises:
        DatabaseError: the load failed, or dlt did not use ADBC; nothing of it is visible without the ledger.
    """

    def resource(name: str, chunks: Sequence[pa.Table]) -> Iterator[pa.Table]:
        @dlt.resource(  # type: ignore[untyped-decorator]
            name=name,
            write_disposition="append",
            file_format="parquet",
            columns={"_extra": {"data_type": "binary"}},
        )
        def rows() -> Iterator[pa.Table]:
            # one table a resource: each is written by itself, and small ones would become small row groups
            yield pa.concat_tables(chunks)

        return rows()  # type: ignore[no-any-return]

    with tempfile.TemporaryDirectory(prefix="dlt-") as folder:
        pipeline = dlt.pipeline(
            "raw_answers",
            destination=dlt.destinations.postgres(_credentials()),
            dataset_name=SCHEMA,
            pipelines_dir=folder,
        )
        pipeline.config.restore_from_destination = False
        try:
            info = pipeline.run([resource(name, chunks) for name, chunks in tables.items()])
        except Exception as error:
            cause = str(error.__cause__ or error).strip().splitlines()
            raise DatabaseError(f"dlt could not write to the schema raw: {cause[-1]}") from error
        jobs = [job for package in info.load_packages for job in package.jobs["completed_jobs"]]
        slow = {
            job.job_file_info.table_name
            for job in jobs
            if job.job_file_info.table_name in tables and job.job_file_info.file_format != "parquet"
        }
        if slow:
            raise DatabaseError(
                f"dlt did not use ADBC for {', '.join(sorted(slow))}; run `make setup`"
            )
        return str(info.loads_ids[-1])
