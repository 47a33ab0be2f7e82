"""Taking an answer out of the current state without deleting it, and putting it back.

A retraction is rows of the ledger: one for every cell that rests on the answer, in every dataset that it serves, with the
status RETRACTED and the reason. What the ledger says with a new number is what the next build makes again, so marts become
what they would be had the answer never come. Attempts that found nothing new and pointed to it go with it, and so does an
answer of several pages when one of them is retracted. The last word about an answer counts: RESTORED undoes.
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from loaders import calendar, ledger
from loaders.errors import UsageError
from loaders.feeds import Status


@dataclass(frozen=True)
class Retraction:
    """What a retraction, or its undoing, reaches.

    Attributes:
        source: of the answer.
        endpoint: of the answer.
        datasets: that rest on it, in alphabetical order.
        days: how many days of them.
        cells: how many cells of them.
        bare_cells: cells that rest on nothing now and are asked for again.
    """

    source: str
    endpoint: str
    datasets: tuple[str, ...]
    days: int
    cells: int
    bare_cells: int


def retract(connection: psycopg.Connection, fetch_id: int, reason: str) -> Retraction:
    """Take an answer, and every attempt that rests on it, out of the current state.

    Raises:
        UsageError: there is no such answer, nothing rests on it, or it is retracted already.
    """
    return _write(connection, fetch_id, Status.RETRACTED, reason)


def restore(connection: psycopg.Connection, fetch_id: int, reason: str) -> Retraction:
    """Undo a retraction.

    Raises:
        UsageError: there is no such answer, or it is not retracted.
    """
    return _write(connection, fetch_id, Status.RESTORED, reason)


def _write(
    connection: psycopg.Connection, fetch_id: int, status: Status, reason: str
) -> Retraction:
    if not reason.strip():
        raise UsageError("a retraction needs a reason: --reason 'what is wrong with the answer'")
    with connection.transaction():
        # in turn with loads: ledger numbers grow in the order of commits
        connection.execute("lock table raw.fetch_cells in share row exclusive mode")
        source, endpoint = _check(connection, fetch_id, status)
        now = datetime.now(calendar.KST)
        connection.execute(
            """
            insert into raw.fetch_cells
                (attempt_id, source, dataset, scope, collection_date, status, fetch_id, started_at, completed_at, error)
            select distinct
                %(attempt_id)s::bigint, source, dataset, scope, collection_date, %(status)s, %(fetch_id)s::bigint,
                %(now)s::timestamptz, %(now)s::timestamptz, %(reason)s
            from raw.fetch_cells
            where fetch_id = %(fetch_id)s and status in ('SUCCESS', 'UNCHANGED')
            order by collection_date, dataset, scope
            """,
            {
                "attempt_id": ledger.next_fetch_ids(connection, 1)[0],
                "status": str(status),
                "fetch_id": fetch_id,
                "now": now,
                "reason": reason.strip(),
            },
        )
        return _reach(connection, fetch_id, source, endpoint)


def _check(connection: psycopg.Connection, fetch_id: int, status: Status) -> tuple[str, str]:
    """Source and endpoint of an answer that can be retracted, or restored."""
    row = connection.execute(
        """
        select
            source,
            endpoint,
            fetch_id in (select fetch_id from raw.retracted_fetches),
            exists (
                select from raw.fetch_cells as cells
                where cells.fetch_id = fetches.fetch_id and cells.status in ('SUCCESS', 'UNCHANGED')
            )
        from raw.fetches as fetches
        where fetch_id = %s
        """,
        (fetch_id,),
    ).fetchone()
    if row is None:
        raise UsageError(
            f"there is no fetch {fetch_id}; quality.rejected_rows, quality.gates and raw.fetches name them"
        )
    source, endpoint, is_retracted, is_in_use = row
    if not is_in_use:
        raise UsageError(f"nothing rests on fetch {fetch_id}: its cells failed or were empty")
    if is_retracted and status is Status.RETRACTED:
        raise UsageError(f"fetch {fetch_id} is retracted already; --undo puts it back")
    if not is_retracted and status is Status.RESTORED:
        raise UsageError(f"fetch {fetch_id} is not retracted")
    return source, endpoint


def _reach(connection: psycopg.Connection, fetch_id: int, source: str, endpoint: str) -> Retraction:
    row = connection.execute(
        """
        select
            array_agg(distinct dataset order by dataset),
            count(distinct collection_date),
            count(*),
            count(*) filter (where not exists (
                select from raw.fetch_cells as others
                where others.source = reached.source
                    and others.dataset = reached.dataset
                    and others.collection_date = reached.collection_date
                    and others.scope = reached.scope
                    and others.status in ('SUCCESS', 'UNCHANGED')
                    and others.attempt_id not in (select attempt_id from raw.retracted_attempts)
            ))
        from (
            select distinct source, dataset, scope, collection_date
            from raw.fetch_cells
            where fetch_id = %s and status in ('SUCCESS', 'UNCHANGED')
        ) as reached
        """,
        (fetch_id,),
    ).fetchone()
    assert row is not None
    datasets, days, cells, bare_cells = row
    return Retraction(source, endpoint, tuple(datasets), days, cells, bare_cells)
