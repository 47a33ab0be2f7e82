"""The ledger: what was asked, what came, and how every cell ended.

Answers and cells of a batch are written in one transaction after the batch's dlt package is complete, so whatever staging
sees is whole. Writers take turns: `ledger_id` grows in the order of commits, which the incremental models rely on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import orjson
import psycopg
from psycopg.types.json import Jsonb

from loaders.feeds import DONE, Cell, Feed, Outcome, Status

LOOK_BACK_DAYS = 60
"""Days that the list before may lie back, to be one that a new list is held against."""


def take_turn(connection: psycopg.Connection, source: str, service: str) -> None:
    """Wait until no other load works on a service; held until this connection takes its next turn or closes.

    Two loads at once would ask the vendor twice for the same cells, at twice its rate.
    """
    connection.execute("select pg_advisory_unlock_all()")
    connection.execute(
        "select pg_advisory_lock(hashtext('korean_market_warehouse.load'), hashtext(%s))",
        (f"{source}.{service}",),
    )


def next_fetch_ids(connection: psycopg.Connection, count: int) -> list[int]:
    """Reserve identities of answers, in rising order.

    To be given out within one turn at a service, so that a later load's answers to the same cells have greater ones.
    """
    rows = connection.execute(
        "select nextval('raw.fetch_id_sequence') from generate_series(1, %s)", (count,)
    )
    return sorted(int(fetch_id) for (fetch_id,) in rows)


def is_awaited(connection: psycopg.Connection, source: str, service: str) -> bool:
    """Whether another load waits for its turn at a service that this one holds."""
    row = connection.execute(
        "select exists (select from pg_locks where locktype = 'advisory' and not granted and database ="
        " (select oid from pg_database where datname = current_database())"
        " and classid::bigint = hashtext('korean_market_warehouse.load')::bigint & 4294967295"
        " and objid::bigint = hashtext(%s)::bigint & 4294967295)",
        (f"{source}.{service}",),
    ).fetchone()
    return row is not None and bool(row[0])


def told_until(
    connection: psycopg.Connection, source: str, dataset: str, day: date
) -> dict[str, datetime]:
    """By scope, up to which moment of a session that goes on it was told already."""
    rows = connection.execute(
        "select scope, max(published_at) from raw.fetch_cells"
        " where source = %s and dataset = %s and collection_date = %s and status = %s group by scope",
        (source, dataset, day, str(Status.PROVISIONAL)),
    )
    return dict(rows.fetchall())


def done_cells(
    connection: psycopg.Connection, source: str, feed: Feed, start: date, end: date
) -> set[Cell]:
    """Cells of a feed from `start` to `end` that need no further request: every dataset of the feed has them done."""
    rows = connection.execute(
        """
        select collection_date, scope
        from raw.fetch_cells
        where source = %(source)s
            and dataset = any(%(datasets)s)
            and collection_date between %(start)s and %(end)s
            and status = any(%(done)s)
            and attempt_id not in (select attempt_id from raw.retracted_attempts)
        group by collection_date, scope
        having count(distinct dataset) = cardinality(%(datasets)s)
        """,
        {
            "source": source,
            "datasets": list(feed.datasets),
            "start": start,
            "end": end,
            "done": [str(status) for status in DONE],
        },
    )
    return {Cell(day=day, scope=scope) for day, scope in rows}


def latest_done_day(connection: psycopg.Connection, source: str, feed: Feed) -> date | None:
    """The newest day that a feed has collected, or None."""
    row = connection.execute(
        "select max(collection_date) from raw.fetch_cells"
        " where source = %s and dataset = any(%s) and status = any(%s)"
        " and attempt_id not in (select attempt_id from raw.retracted_attempts)",
        (source, list(feed.datasets), [str(status) for status in DONE]),
    ).fetchone()
    return row[0] if row else None


@dataclass(frozen=True)
class CurrentAnswers:
    """The answers that a cell rests on now: fetch ids in order, and their hashes."""

    fetch_ids: tuple[int, ...]
    hashes: tuple[str | None, ...]


def current_answers(
    connection: psycopg.Connection, source: str, dataset: str, cell: Cell, *, latest_only: bool
) -> CurrentAnswers | None:
    """What the newest successful attempt at a cell rests on.

    Args:
        connection: to the warehouse.
        source: name of the source.
        dataset: one dataset of the feed.
        cell: scope and day.
        latest_only: for a feed that tells only the latest state, an earlier day's answer counts too.
    """
    row = connection.execute(
        """
        select array_agg(cells.fetch_id order by cells.ledger_id),
            array_agg(fetches.payload_sha256 order by cells.ledger_id)
        from raw.fetch_cells as cells
        inner join raw.fetches as fetches on cells.fetch_id = fetches.fetch_id
        where cells.source = %(source)s
            and cells.dataset = %(dataset)s
            and cells.scope = %(scope)s
            and (cells.collection_date = %(day)s or (%(latest_only)s and cells.collection_date < %(day)s))
            and cells.status in ('SUCCESS', 'UNCHANGED')
            and cells.attempt_id not in (select attempt_id from raw.retracted_attempts)
        group by cells.collection_date, cells.attempt_id
        order by cells.collection_date desc, cells.attempt_id desc
        limit 1
        """,
        {
            "source": source,
            "dataset": dataset,
            "scope": cell.scope,
            "day": cell.day,
            "latest_only": latest_only,
        },
    ).fetchone()
    return CurrentAnswers(tuple(row[0]), tuple(row[1])) if row else None


def answered_cells(
    connection: psycopg.Connection, source: str, dataset: str, start: date, end: date
) -> set[Cell]:
    """Cells of a dataset from `start` to `end` that rest on an answer already."""
    rows = connection.execute(
        "select distinct collection_date, scope from raw.fetch_cells where source = %s and dataset = %s"
        " and collection_date between %s and %s and status in ('SUCCESS', 'UNCHANGED')",
        (source, dataset, start, end),
    )
    return {Cell(day=day, scope=scope) for day, scope in rows}


def looked_at_cells(
    connection: psycopg.Connection, source: str, dataset: str, start: date, end: date
) -> set[Cell]:
    """Cells of a dataset from `start` to `end` of which a look at the session that went on brought something."""
    rows = connection.execute(
        "select distinct collection_date, scope from raw.fetch_cells where source = %s and dataset = %s"
        " and collection_date between %s and %s and status = %s"
        " and attempt_id not in (select attempt_id from raw.retracted_attempts)",
        (source, dataset, start, end, str(Status.PROVISIONAL)),
    )
    return {Cell(day=day, scope=scope) for day, scope in rows}


def records_before(
    connection: psycopg.Connection, source: str, dataset: str, cell: Cell, part_field: str | None
) -> tuple[date, dict[str, int]] | None:
    """Day and records of the newest successful answers to a scope before or on a day, or None where there are none.

    Args:
        connection: to the warehouse.
        source: name of the source.
        dataset: one dataset of the feed.
        cell: scope and day.
        part_field: of the requests, whose value names the part of the list that they asked for; None for a list that is one.
    """
    rows = connection.execute(
        """
        with newest as (
            select cells.collection_date, cells.attempt_id
            from raw.fetch_cells as cells
            where cells.source = %(source)s
                and cells.dataset = %(dataset)s
                and cells.scope = %(scope)s
                and cells.collection_date between %(day)s - %(look_back)s and %(day)s
                and cells.status in ('SUCCESS', 'UNCHANGED')
                and cells.attempt_id not in (select attempt_id from raw.retracted_attempts)
            order by cells.collection_date desc, cells.attempt_id desc
            limit 1
        )
        select cells.collection_date, coalesce(fetches.request ->> %(part_field)s::text, ''), sum(fetches.row_count)::bigint
        from raw.fetch_cells as cells
        inner join newest
            on cells.attempt_id = newest.attempt_id and cells.collection_date = newest.collection_date
        inner join raw.fetches as fetches on cells.fetch_id = fetches.fetch_id
        where cells.source = %(source)s and cells.dataset = %(dataset)s and cells.scope = %(scope)s
        group by 1, 2
        """,
        {
            "source": source,
            "dataset": dataset,
            "scope": cell.scope,
            "day": cell.day,
            "look_back": LOOK_BACK_DAYS,
            "part_field": part_field,
        },
    ).fetchall()
    return (rows[0][0], {part: records for _, part, records in rows}) if rows else None


@dataclass(frozen=True)
class Retracted:
    """What a retracted answer told of: its fetch id and one of its cells."""

    fetch_id: int
    cell: Cell


def retracted_answers(
    connection: psycopg.Connection, source: str, dataset: str
) -> dict[str, list[Retracted]]:
    """A source's retracted answers about a dataset, few as a rule, by the hash of their payload."""
    rows = connection.execute(
        """
        select fetches.payload_sha256, retracted.fetch_id, cells.collection_date, cells.scope
        from raw.retracted_fetches as retracted
        inner join raw.fetches as fetches on retracted.fetch_id = fetches.fetch_id
        inner join raw.fetch_cells as cells on retracted.fetch_id = cells.fetch_id
        where cells.source = %s and cells.dataset = %s and cells.status = 'RETRACTED'
        """,
        (source, dataset),
    ).fetchall()
    found: dict[str, list[Retracted]] = defaultdict(list)
    for payload_sha256, fetch_id, day, scope in rows:
        found[payload_sha256].append(Retracted(fetch_id, Cell(day, scope)))
    return dict(found)


@dataclass(frozen=True)
class LedgerEntry:
    """One outcome ready for the ledger.

    `points_to` are the fetch ids that its successful cells rest on: its own, or earlier ones where nothing changed.
    """

    feed: Feed
    outcome: Outcome
    points_to: tuple[int, ...]
    completed_at: datetime

    def status_of(self, cell: Cell) -> Status:
        """How one cell of the outcome ended."""
        return self.outcome.statuses.get(cell, self.outcome.status)


def write(
    connection: psycopg.Connection,
    source: str,
    entries: Sequence[LedgerEntry],
) -> None:
    """Write answers, cells and rejected payloads of a batch in one transaction."""
    answers = [answer for entry in entries for answer in entry.outcome.answers]
    with connection.transaction():
        # until commit: two loads at once must not interleave their ledger ids
        connection.execute("lock table raw.fetch_cells in share row exclusive mode")
        with connection.cursor() as cursor:
            with cursor.copy(
                "copy raw.fetches (fetch_id, source, endpoint, request, fetched_at, http_status,"
                " row_count, byte_count, payload_sha256, error) from stdin"
            ) as copy:
                for answer in answers:
                    copy.write_row(
                        (
                            answer.fetch_id,
                            source,
                            answer.endpoint,
                            Jsonb(answer.request, orjson.dumps),
                            answer.fetched_at,
                            answer.http_status,
                            answer.row_count,
                            answer.byte_count,
                            answer.payload_sha256,
                            answer.error,
                        )
                    )
            for answer in answers:
                if answer.rejected is None:
                    continue
                cursor.execute(
                    "insert into raw.rejected_payloads (fetch_id, source, endpoint, received_at,"
                    " content_type, reason, payload) values (%s, %s, %s, %s, %s, %s, %s)",
                    (
                        answer.fetch_id,
                        source,
                        answer.endpoint,
                        answer.fetched_at,
                        answer.rejected.content_type,
                        answer.error,
                        answer.rejected.payload,
                    ),
                )
            with cursor.copy(
                "copy raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status,"
                " fetch_id, started_at, completed_at, error, published_at) from stdin"
            ) as copy:
                for entry in entries:
                    for row in _cell_rows(source, entry):
                        copy.write_row(row)


def _cell_rows(source: str, entry: LedgerEntry) -> Iterable[tuple[object, ...]]:
    outcome = entry.outcome
    attempt_id = outcome.answers[0].fetch_id
    for cell in outcome.cells:
        status = entry.status_of(cell)
        rests_on = status in (Status.SUCCESS, Status.UNCHANGED, Status.PROVISIONAL)
        published_at = None if entry.feed.latest_only else entry.feed.published(cell.day)
        fetch_ids = entry.points_to if rests_on else (outcome.answers[-1].fetch_id,)
        for dataset in entry.feed.datasets:
            for fetch_id in fetch_ids:
                yield (
                    attempt_id,
                    source,
                    dataset,
                    cell.scope,
                    cell.day,
                    str(status),
                    fetch_id,
                    outcome.started_at,
                    entry.completed_at,
                    outcome.error if status in (Status.FAILED, Status.PARTIAL) else None,
                    outcome.told_until if status is Status.PROVISIONAL else published_at,
                )
