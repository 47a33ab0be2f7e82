"""From the cells of a feed to raw and ledger: outcomes are gathered, judged, and written in batches.

A batch is one dlt package followed by one ledger transaction, so nothing of it is ever half visible. What a kill cuts off is in
the journal as it came, and the next load asks only for the rest.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import psycopg

from loaders import calendar, destination, ledger
from loaders.collect import Collection
from loaders.database import connect
from loaders.feeds import Answer, Cell, Feed, Outcome, Status
from loaders.payload import Rows, unpack
from loaders.progress import Progress

BATCH_ROWS = 260_000
"""Half of a day of minutes: what a batch costs by itself is paid twice, and one half is written while the other comes."""
BATCH_ANSWERS = 5_000
ROWS_THAT_NEED_STATISTICS = 10_000
"""After a load of so many the next build would join by scanning, for want of fresh statistics."""
ROWS_BETWEEN_STATISTICS = 1_000_000
"""Of a load that goes on."""


def _what_shrank(before: Mapping[str, int], now: Mapping[str, int], allowed: float) -> str | None:
    """Which list lost more records than it may, the whole or one of its parts; None where none did.

    Any may lose one record: of three ships the last but two may go, and no list shows why.
    """

    def is_believed(count: int, left: int) -> bool:
        return left >= min((1 - allowed) * count, count - 1)

    whole_before, whole_now = sum(before.values()), sum(now.values())
    if not is_believed(whole_before, whole_now):
        return f"the list shrank from {whole_before} to {whole_now} records"
    for part, count in sorted(before.items()):
        if not is_believed(count, now.get(part, 0)):
            return f"its part {part} shrank from {count} to {now.get(part, 0)} records"
    return None


@dataclass
class FeedResult:
    """Counts of one feed's run, for the summary."""

    source: str
    feed: str
    cells: dict[Status, int] = field(default_factory=lambda: defaultdict(int))
    rows: int = 0
    answers: int = 0
    reused: int = 0
    stopped: str | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def collected(self) -> int:
        """Cells that were answered, whatever the answer."""
        return sum(n for status, n in self.cells.items() if status is not Status.FAILED)


class _Batch:
    """Outcomes on their way into the database.

    A full batch is written by a thread of its own, through a connection of its own, while the next one is collected; at
    most one at a time, so two batches are the most that memory holds.
    """

    def __init__(
        self,
        collection: Collection,
        feed: Feed,
        cells: Sequence[Cell],
        result: FeedResult,
        connection: psycopg.Connection,
    ) -> None:
        self._collection = collection
        self._feed = feed
        self._result = result
        self._connection = connection
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._written: Future[None] | None = None
        self._answered = self._answered_scopes(cells)
        self._retracted = self._retracted_answers()
        self._looked_at = self._looked_at_cells(cells)
        self._entries: list[ledger.LedgerEntry] = []
        self._tables: dict[str, list[Rows]] = defaultdict(list)
        self._rows = 0
        self._answers = 0
        self._without_statistics: dict[str, int] = defaultdict(int)
        # of lists that this run has taken in, by scope and day
        self._lengths: dict[str, dict[date, dict[str, int]]] = defaultdict(dict)

    def _answered_scopes(self, cells: Sequence[Cell]) -> set[str]:
        """Scopes with an answer that a new one may repeat; one query instead of one a cell, where there is none."""
        days = [cell.day for cell in cells]
        first = date.min if self._feed.latest_only else min(days)
        found = ledger.answered_cells(
            self._collection.connection,
            self._collection.source.name,
            self._feed.datasets[0],
            first,
            max(days),
        )
        return {cell.scope for cell in found}

    def _looked_at_cells(self, cells: Sequence[Cell]) -> set[Cell]:
        """Cells that have something to show already, of a feed that looks at sessions while they go on."""
        if self._feed.poll is None:
            return set()
        days = [cell.day for cell in cells]
        return ledger.looked_at_cells(
            self._collection.connection,
            self._collection.source.name,
            self._feed.datasets[0],
            min(days),
            max(days),
        )

    def _retracted_answers(self) -> dict[str, list[ledger.Retracted]]:
        """Answers that must not come back; one query a batch instead of one a cell."""
        return ledger.retracted_answers(
            self._collection.connection, self._collection.source.name, self._feed.datasets[0]
        )

    def add(self, outcome: Outcome) -> None:
        entry = self._settle(outcome)
        self._entries.append(entry)
        self._answers += len(outcome.answers)
        self._result.answers += len(outcome.answers)
        for cell in outcome.cells:
            self._result.cells[entry.status_of(cell)] += 1
        if entry.outcome.error:  # a list that was refused failed only here
            self._result.errors.append(entry.outcome.error)
        if self._rows >= BATCH_ROWS or self._answers >= BATCH_ANSWERS:
            self.flush()

    def _settle(self, outcome: Outcome) -> ledger.LedgerEntry:
        """Decide between new rows and "as before", and take the rows in."""
        outcome = self._doubt_empty(self._refuse_shrunk(self._refuse_retracted(outcome)))
        fetch_ids = tuple(answer.fetch_id for answer in outcome.answers)
        entry = ledger.LedgerEntry(self._feed, outcome, fetch_ids, datetime.now(calendar.KST))
        successful = [c for c in outcome.cells if entry.status_of(c) is Status.SUCCESS]
        if successful:
            known = self._known(successful, outcome.answers)
            if known:
                unchanged = dict.fromkeys(successful, Status.UNCHANGED)
                outcome = replace(outcome, statuses=outcome.statuses | unchanged)
                return replace(entry, outcome=outcome, points_to=known)
        for endpoint, found in outcome.rows.items():
            for rows in found:
                if rows.num_rows:
                    self._tables[self._collection.table(endpoint).name].append(rows)
                    self._rows += rows.num_rows
                    self._result.rows += rows.num_rows
        return entry

    def _doubt_empty(self, outcome: Outcome) -> Outcome:
        """A session that showed something while it went on is not EMPTY in the end: the final answer has not come yet."""
        doubted = {
            cell: Status.NOT_PUBLISHED
            for cell in self._looked_at.intersection(outcome.cells)
            if outcome.statuses.get(cell, outcome.status) is Status.EMPTY
        }
        return replace(outcome, statuses=outcome.statuses | doubted) if doubted else outcome

    def _refuse_shrunk(self, outcome: Outcome) -> Outcome:
        """A list that lost more records than it may is a failed cell, never a mass delisting."""
        allowed = self._feed.may_shrink_by
        if (
            allowed is None
            or outcome.status is not Status.SUCCESS
            or self._collection.run.accept_shrunk_lists
        ):
            return outcome
        records = dict[str, int]()
        for answer in outcome.answers:
            part = str(answer.request.get(self._feed.list_part or "", ""))
            records[part] = records.get(part, 0) + answer.row_count
        for cell in outcome.cells:
            lost = _what_shrank(self._records_before(cell), records, allowed)
            if lost:
                error = (
                    f"{self._feed.name} {cell.scope}: {lost}, which is not believed; if it is true, load again with"
                    " ACCEPT_SHRUNK_LISTS=true"
                )
                return replace(outcome, status=Status.FAILED, error=error, statuses={})
        for cell in outcome.cells:
            self._lengths[cell.scope][cell.day] = records
        return outcome

    def _records_before(self, cell: Cell) -> dict[str, int]:
        """Records of the list before by its parts, none where there is none; it may be one of this run, not written yet."""
        written = ledger.records_before(
            self._collection.connection,
            self._collection.source.name,
            self._feed.datasets[0],
            cell,
            self._feed.list_part,
        )
        found = dict([written] if written else [])
        found |= {
            day: records
            for day, records in self._lengths[cell.scope].items()
            if timedelta() <= cell.day - day <= timedelta(days=ledger.LOOK_BACK_DAYS)
        }
        return found[max(found)] if found else {}

    def _refuse_retracted(self, outcome: Outcome) -> Outcome:
        """An answer that was taken back and comes again is a failed cell: its rows must not return in silence."""
        cells = [
            cell
            for cell in outcome.cells
            if outcome.statuses.get(cell, outcome.status) is Status.SUCCESS
        ]
        scopes, days = {cell.scope for cell in cells}, {cell.day for cell in cells}
        retracted = max(
            (
                found.fetch_id
                for answer in outcome.answers
                for found in self._retracted.get(answer.payload_sha256 or "", ())
                # of a feed that tells only the latest state an answer of another day counts too
                if found.cell.scope in scopes and (self._feed.latest_only or found.cell.day in days)
            ),
            default=None,
        )
        if retracted is None:
            return outcome
        error = (
            f"{self._feed.name} {cells[0].scope}: same payload as fetch {retracted}, which was retracted; if it is right"
            f" after all, run `python -m loaders retract {retracted} --undo`"
        )
        return replace(outcome, status=Status.FAILED, error=error, statuses={})

    def _known(self, cells: Sequence[Cell], answers: Sequence[Answer]) -> tuple[int, ...] | None:
        """Fetch ids that all these cells rest on already with the same payloads, or None."""
        hashes = tuple(answer.payload_sha256 for answer in answers)
        known: set[tuple[int, ...]] = set()
        for cell in cells:
            if cell.scope not in self._answered:
                return None
            current = ledger.current_answers(
                self._collection.connection,
                self._collection.source.name,
                self._feed.datasets[0],
                cell,
                latest_only=self._feed.latest_only,
            )
            if current is None or current.hashes != hashes:
                return None
            known.add(current.fetch_ids)
        return known.pop() if len(known) == 1 else None

    def flush(self, *, is_last: bool = False) -> None:
        """Have what was gathered written; waits for the batch before, and raises what went wrong with it."""
        self.wait()
        if self._entries:
            self._written = self._writer.submit(
                self._write, self._entries, self._tables, is_last=is_last
            )
        self._entries, self._tables = [], defaultdict(list)
        self._rows = self._answers = 0
        self._retracted = self._retracted_answers()

    def wait(self) -> None:
        """Wait until everything that was flushed is written."""
        if self._written:
            self._written.result()
            self._written = None

    def close(self) -> None:
        """End the thread; a batch that is being written is still completed."""
        self._writer.shutdown()

    def _write(
        self,
        entries: Sequence[ledger.LedgerEntry],
        tables: dict[str, list[Rows]],
        *,
        is_last: bool,
    ) -> None:
        if tables:
            destination.append({name: unpack(found) for name, found in tables.items()})
        for name, found in tables.items():
            self._without_statistics[name] += sum(rows.num_rows for rows in found)
        # of a long load now and then, lest each batch of it pays for a sample of all that came before
        loaded = sum(self._without_statistics.values())
        is_due = loaded >= (ROWS_THAT_NEED_STATISTICS if is_last else ROWS_BETWEEN_STATISTICS)
        if is_due:
            for name in self._without_statistics:
                self._connection.execute(f'analyze raw."{name}"')
            self._without_statistics.clear()
        ledger.write(self._connection, self._collection.source.name, entries)
        self._collection.settled(a for entry in entries for a in entry.outcome.answers)
        if is_due:
            self._connection.execute("analyze raw.fetches; analyze raw.fetch_cells")


def collect_feed(
    collection: Collection, feed: Feed, cells: Sequence[Cell], *, is_refresh: bool = False
) -> FeedResult:
    """Fetch cells and write them to raw and ledger; a vendor that stops ends the feed, what came before is kept.

    Raises:
        MixedDataError: sample and real data would meet; nothing was written.
        DatabaseError: raw tables or ledger cannot be written.
    """
    result = FeedResult(collection.source.name, feed.name)
    collection.begin(feed, is_refresh=is_refresh)
    is_written = False
    try:
        with (
            connect(application_name="loaders ledger") as connection,
            closing(_Batch(collection, feed, cells, result, connection)) as batch,
            closing(collection.outcomes(feed, cells)) as outcomes,
            Progress(result.source, feed.name, len(cells), collection.run.progress_seconds) as bar,
        ):
            for outcome in outcomes:
                batch.add(outcome)
                bar.update(len(outcome.cells), requests=result.answers, rows=result.rows)
            batch.flush(is_last=True)
            batch.wait()
        is_written = True
    finally:
        collection.end(is_written=is_written)
    result.stopped, result.reused = collection.stopped, collection.reused
    return result
