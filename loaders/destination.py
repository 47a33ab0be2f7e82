"""Arrow tables into the schema `raw`, through dlt: parquet files copied by ADBC.

dlt falls back to slow INSERTs with only a log line when ADBC does not work, so it is tried before the first load and the
format of every finished job is looked at. Each load uses a fresh pipeline folder: a package that a killed load left
behind can never block the next one, and what it already copied is not in the ledger, hence invisible.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

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

from loaders.database import connection_parameters
from loaders.errors import DatabaseError

SCHEMA = "raw"


def _connection_uri() -> str:
    parameters = connection_parameters()
    # dlt insists on a password; a server that trusts its clients ignores it
    user, password = parameters.get("user", ""), parameters.get("password", "unused")
    uri = (
        f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}"
        f"@{parameters['host']}:{parameters['port']}/{quote(parameters['dbname'], safe='')}"
    )
    return uri + (f"?sslmode={parameters['sslmode']}" if "sslmode" in parameters else "")


def check_adbc() -> None:
    """Make sure that the fast way in works before anything is fetched.

    Raises:
        DatabaseError: the ADBC driver is missing or cannot connect.
    """
    try:
        with (
            adbc_driver_postgresql.dbapi.connect(_connection_uri()) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("select 1")
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
            destination=dlt.destinations.postgres(_connection_uri()),
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
