"""Creates what must exist before the first load: schemas, ledger, every raw table, empty and indexed.

dbt fails on a source table that does not exist, and a database may hold one source only, so all of them are made here.
Nothing is ever dropped: a column that the contract gains is added, one that it loses stays. Where all of it is there
nothing is touched: an `alter table` waits for every reader, for a running build as for a backup, and whoever comes next
waits behind it.
"""

import hashlib
from datetime import datetime

import psycopg
from psycopg import sql

from loaders.contracts import RawTable, raw_tables
from loaders.errors import DatabaseError, MixedDataError

SCHEMAS = (
    "raw", "staging", "intermediate", "marts", "partitions", "snapshots", "quality", "ops", "seeds",
)  # fmt: skip

LEDGER = """
create sequence if not exists raw.fetch_id_sequence;

create table if not exists raw.fetches (
    fetch_id bigint primary key,
    source text not null,
    endpoint text not null,
    request jsonb not null,
    fetched_at timestamptz not null,
    http_status integer,
    row_count integer not null,
    byte_count bigint not null,
    payload_sha256 text,
    error text
);
create index if not exists fetches_source_endpoint on raw.fetches (source, endpoint, fetched_at);

create table if not exists raw.fetch_cells (
    ledger_id bigint generated always as identity primary key,
    attempt_id bigint not null,
    source text not null,
    dataset text not null,
    scope text not null,
    collection_date date not null,
    status text not null check (
        status in (
            'SUCCESS', 'UNCHANGED', 'EMPTY', 'NOT_PUBLISHED', 'PARTIAL', 'FAILED', 'PROVISIONAL', 'RETRACTED',
            'RESTORED'
        )
    ),
    fetch_id bigint references raw.fetches (fetch_id),
    started_at timestamptz not null,
    completed_at timestamptz not null,
    error text,
    published_at timestamptz
);
alter table raw.fetch_cells add column if not exists published_at timestamptz;
create index if not exists fetch_cells_dataset_day on raw.fetch_cells (dataset, collection_date);
create index if not exists fetch_cells_cell
    on raw.fetch_cells (source, dataset, collection_date, scope, attempt_id);
create index if not exists fetch_cells_fetch on raw.fetch_cells (fetch_id);
create index if not exists fetch_cells_retractions on raw.fetch_cells (fetch_id, ledger_id)
    where status in ('RETRACTED', 'RESTORED');

-- a ledger that was made before sessions could be looked at while they go on, or answers taken back
do $$
begin
    if exists (
        select from pg_constraint
        where conrelid = 'raw.fetch_cells'::regclass and conname = 'fetch_cells_status_check'
            and (pg_get_constraintdef(oid) like '%RETRACTED%' and pg_get_constraintdef(oid) like '%PROVISIONAL%') is not true
    ) then
        alter table raw.fetch_cells drop constraint fetch_cells_status_check, add check (
            status in (
                'SUCCESS', 'UNCHANGED', 'EMPTY', 'NOT_PUBLISHED', 'PARTIAL', 'FAILED', 'PROVISIONAL', 'RETRACTED',
                'RESTORED'
            )
        );
    end if;
end
$$;

create or replace view raw.retracted_fetches as
select fetch_id, max(ledger_id) as ledger_id
from raw.fetch_cells
where status in ('RETRACTED', 'RESTORED')
group by fetch_id
having (array_agg(status order by ledger_id desc))[1] = 'RETRACTED';

-- every attempt that rests on such an answer, those that found nothing new and answers of several pages included
create or replace view raw.retracted_attempts as
select distinct cells.attempt_id
from raw.retracted_fetches as retracted
inner join raw.fetch_cells as cells on retracted.fetch_id = cells.fetch_id
where cells.status in ('SUCCESS', 'UNCHANGED');

create table if not exists raw.rejected_payloads (
    fetch_id bigint primary key,
    source text not null,
    endpoint text not null,
    received_at timestamptz not null,
    content_type text,
    reason text not null,
    payload bytea not null
);

create table if not exists ops.host_blocks (
    host text not null,
    blocked_at timestamptz not null,
    blocked_until timestamptz not null,
    reason text not null
);

create table if not exists ops.warehouse (
    kind text not null check (kind in ('REAL', 'SAMPLE')),
    sample_now timestamptz,
    sample_seed bigint,
    created_at timestamptz not null default now(),
    check ((kind = 'SAMPLE') = (sample_now is not null))
);
create unique index if not exists warehouse_single_row on ops.warehouse ((true));
"""


def _raw_table_ddl(table: RawTable) -> sql.Composed:
    name = sql.Identifier("raw", table.name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(data_type))
        for column, data_type in table.columns().items()
    )
    additions = sql.SQL(", ").join(
        sql.SQL("add column if not exists {} {}").format(
            sql.Identifier(column),
            sql.SQL(data_type),
        )
        for column, data_type in table.columns().items()
    )
    return sql.SQL(
        "create table if not exists {name} ({columns}); alter table {name} {additions};"
        "create index if not exists {index} on {name} (_fetch_id);"
    ).format(
        name=name,
        columns=columns,
        additions=additions,
        index=sql.Identifier(f"{table.name}_fetch_id"),
    )


def _layout() -> str:
    """A mark of everything that is made here; it changes with the contracts and with this module."""
    ddl = [
        *SCHEMAS,
        LEDGER,
        *(_raw_table_ddl(table).as_string() for table in raw_tables().values()),
    ]
    return "layout " + hashlib.sha256("\n".join(ddl).encode()).hexdigest()


def _is_complete(connection: psycopg.Connection, layout: str) -> bool:
    """Whether this very layout has been made, and its tables are still there."""
    tables = [
        "ops.warehouse",
        "raw.fetch_cells",
        *(f"raw.{table.name}" for table in raw_tables().values()),
    ]
    row = connection.execute(
        "select obj_description(to_regnamespace('raw')::oid, 'pg_namespace') = %s"
        " and (select bool_and(to_regclass(name) is not null) from unnest(%s::text[]) as name)",
        (layout, tables),
    ).fetchone()
    return bool(row and row[0])


def _make(connection: psycopg.Connection, layout: str) -> None:
    # one initialisation at a time: `create … if not exists` itself can collide
    connection.execute("select pg_advisory_xact_lock(hashtext('korean_market_warehouse.init'))")
    if _is_complete(connection, layout):
        return
    for schema in SCHEMAS:
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    connection.execute(LEDGER)
    for table in raw_tables().values():
        connection.execute(_raw_table_ddl(table))
    connection.execute(sql.SQL("comment on schema raw is {}").format(sql.Literal(layout)))


def initialise(
    connection: psycopg.Connection,
    *,
    sample_now: datetime | None = None,
    sample_seed: int | None = None,
) -> None:
    """Create or complete schemas, ledger and raw tables, and mark the database as real or sample.

    Safe to repeat and to run twice at once. With `sample_now` the database is marked as sample data with that frozen clock.

    Raises:
        MixedDataError: the database is already marked as the other kind.
        DatabaseError: the role may not create schemas.
    """
    kind = "SAMPLE" if sample_now else "REAL"
    try:
        with connection.transaction():
            connection.execute("set local client_min_messages = warning")
            if not _is_complete(connection, layout := _layout()):
                _make(connection, layout)
            connection.execute(
                "insert into ops.warehouse (kind, sample_now, sample_seed) values (%s, %s, %s)"
                " on conflict do nothing",
                (kind, sample_now, sample_seed),
            )
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"the role may not set up this database ({str(error).splitlines()[0]}); grant it CREATE on the database"
        ) from None
    found = connection.execute("select kind from ops.warehouse").fetchone()
    if sample_now and found and found[0] != kind:
        raise MixedDataError(
            "this database holds real data and cannot become a sample one; use another database"
        )
