"""The run of one source: what is due, fetched, turned into Arrow, loaded, and written into the ledger.

Outcomes are gathered into batches. A batch is one dlt package followed by one ledger transaction, so a kill costs one
batch at most and nothing of it is ever half visible.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import psycopg
import pyarrow as pa
import requests
import structlog
from tqdm import tqdm

from loaders import blocks, calendar, destination, ledger, universe
from loaders.config import RunSettings, SourceSettings
from loaders.contracts import RawTable, raw_tables
from loaders.database import Warehouse
from loaders.errors import (
    AnswerRejectedError,
    HostBlockedError,
    LoaderError,
    MixedDataError,
    RequestFailedError,
    SourceStoppedError,
)
from loaders.feeds import Answer, Cadence, Cell, Feed, Outcome, Service, Source, Status
from loaders.http import VendorClient
from loaders.payload import parse_json, records_to_table

SAMPLE_HEADER = "X-Sample-Data"
DEFAULT_WINDOW_SESSIONS = 20
BATCH_ROWS = 250_000
BATCH_ANSWERS = 2_000
FAILURES_BEFORE_STOP = 3
"""Requests in a row without any answer after which a host counts as unreachable."""

log = structlog.get_logger()

Records = Sequence[Any] | Mapping[str, Sequence[Any]]
"""Records of an answer's own endpoint, or of several endpoints by name."""

ReadRecords = Callable[[Any], Records]
"""From a parsed body to its records; raises AnswerRejectedError or SourceStoppedError for the vendor's own errors."""


@dataclass(frozen=True)
class Question:
    """One request to a vendor.

    Attributes:
        endpoint: as the field contract names it.
        path: below the service's base URL, or a whole URL.
        params: what is asked, as query, form or JSON by `sent_as`; recorded in the ledger, so never a secret.
        headers: request headers; recorded nowhere.
        read_records: finds the records in the parsed body.
        parse: turns the body into what `read_records` takes.
        sent_as: `query` for a GET; `form` or `json` for a POST.
        noted: recorded with the request without being sent, where the vendor takes a key in a header or in the path.
        unrecorded: sent with `params` and recorded nowhere: a one-time password.
        volatile: what differs in two answers that say the same (the vendor's clock), left out of `payload_sha256`.
    """

    endpoint: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    read_records: ReadRecords
    parse: Callable[[bytes], Any] = parse_json
    sent_as: Literal["query", "form", "json"] = "query"
    noted: Mapping[str, str] = field(default_factory=dict)
    unrecorded: Mapping[str, str] = field(default_factory=dict)
    volatile: re.Pattern[bytes] | None = None

    def digest(self, payload: bytes) -> str:
        """SHA-256 by which an answer is known again: of the payload without what is volatile."""
        steady = self.volatile.sub(b"", payload) if self.volatile else payload
        return hashlib.sha256(steady).hexdigest()


class Collection:
    """What a feed's collector works with: settings, client, ledger and the database of one run of one service.

    Attributes:
        source: the vendor.
        service: its interface.
        settings: of the service.
        run: settings of the run.
        connection: to the warehouse, for lists of stocks that earlier feeds loaded.
        now: the time of the run in KST (the frozen clock of a sample database).
        stopped: why the vendor wants no further request, or None.
        rejected: answers that could not be parsed and are not yet written.
        cache: what a feed keeps for the length of the run.
    """

    def __init__(
        self,
        source: Source,
        service: Service,
        settings: SourceSettings,
        run: RunSettings,
        connection: psycopg.Connection,
        warehouse: Warehouse,
        listings: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.service = service
        self.settings = settings
        self.run = run
        self.connection = connection
        self.warehouse = warehouse
        self.now = warehouse.now()
        self.rejected: list[ledger.RejectedPayload] = []
        self.cache: dict[str, Any] = {}
        self.stopped: str | None = None
        self._listings = listings
        self._client = VendorClient(settings, run, service.is_busy, service.is_final)
        self._failures_in_a_row = 0
        self._warned: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Release connections to the vendor."""
        self._client.close()

    def table(self, endpoint: str) -> RawTable:
        """Field contract of an endpoint."""
        return raw_tables()[self.source.name, endpoint]

    def listed(self, day: date) -> list[universe.Listing]:
        """Securities listed on a day by the newest lists of all sources, by code; empty before any list was collected."""
        if "listings" not in self.cache:
            self.cache["listings"] = universe.read_listings(self.connection, self._listings)
        return universe.listed_on(self.cache["listings"], day)

    def new_answer(self, endpoint: str, request: Mapping[str, Any]) -> Answer:
        """An empty answer with an identity of its own."""
        return Answer(
            fetch_id=ledger.next_fetch_id(self.connection),
            endpoint=endpoint,
            request=dict(request),
            fetched_at=datetime.now(calendar.KST),
        )

    def attempt(self, cells: Sequence[Cell]) -> Attempt:
        """Begin an attempt at some cells."""
        return Attempt(self, cells)

    def url(self, path: str) -> str:
        """A path below the service's base URL; a whole URL stays as it is."""
        is_whole = path.startswith(("http://", "https://"))
        return path if is_whole else f"{self.settings.base_url.rstrip('/')}/{path}"

    def ask(self, question: Question) -> Answer:
        """Ask one question and read the answer; what goes wrong with it stands in `Answer.error`.

        When the vendor wants no further request, or cannot be reached at all, `stopped` says why from then on.

        Raises:
            MixedDataError: a sample answer for a real database, or the reverse.
        """
        answer = self.new_answer(question.endpoint, {**question.params, **question.noted})
        try:
            response = self.send(
                "GET" if question.sent_as == "query" else "POST",
                question.path,
                headers=question.headers,
                **{_SENT_AS[question.sent_as]: {**question.params, **question.unrecorded}},
            )
        except RequestFailedError as error:
            answer.error = str(error)
            return answer
        answer.fetched_at = datetime.now(calendar.KST)
        answer.http_status = response.status_code
        answer.byte_count = len(response.content)
        answer.payload_sha256 = question.digest(response.content)
        answer.headers = response.headers
        try:
            answer.tables = self._read(answer, response, question)
        except SourceStoppedError as error:
            answer.error = str(error)
            self.stop(error)
        except AnswerRejectedError as error:
            answer.error = str(error)
            self.reject(answer, response.content, response.headers.get("Content-Type"))
        return answer

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request whose answer is no data of its own: a log-in, a token, a one-time password, a file.

        Nothing of it is recorded, so secrets may stand in it.

        Raises:
            RequestFailedError: no answer after all attempts; the third in a row stops the service.
            MixedDataError: a sample answer for a real database, or the reverse.
        """
        try:
            response = self._client.send(
                method, self.url(path), params=params, form=form, json=json, headers=headers
            )
        except RequestFailedError as error:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= FAILURES_BEFORE_STOP:
                self.stop(error)
            raise
        self._failures_in_a_row = 0
        self.check_sample(SAMPLE_HEADER in response.headers)
        return response

    def stop(self, error: LoaderError) -> None:
        """Ask this vendor nothing more in this run; after a block its host is left alone for a day."""
        self.stopped = f"{self.source.name}: {error}"
        if isinstance(error, HostBlockedError):
            blocks.record(self.connection, self.settings.base_url, str(error))

    def failure(
        self, endpoint: str, request: Mapping[str, Any], cells: Sequence[Cell], error: str
    ) -> Outcome:
        """Cells that failed without an answer that could be read."""
        answer = self.new_answer(endpoint, request)
        answer.error = error
        return Outcome(cells=cells, answers=[answer], status=Status.FAILED, error=error)

    def reject(self, answer: Answer, payload: bytes, content_type: str | None = None) -> None:
        """Keep an answer whole that could not be parsed; `answer.error` says why."""
        self.rejected.append(ledger.RejectedPayload(answer, content_type, payload))

    def check_sample(self, is_sample: bool) -> None:
        """Refuse to mix sample and real data.

        Raises:
            MixedDataError: the answer is of the other kind than the database.
        """
        if is_sample and not self.warehouse.is_sample:
            raise MixedDataError(
                f"{self.source.name} answers with sample data, but this database is for real data;"
                " use the sample database (`make use DB=demo`) or unset the *_BASE_URL variable"
            )
        if self.warehouse.is_sample and not is_sample:
            raise MixedDataError(
                f"{self.source.name} answers with real data, but this database holds the sample market;"
                " choose the real one first: `make use DB=warehouse`"
            )

    def _read(
        self, answer: Answer, response: requests.Response, question: Question
    ) -> dict[str, pa.Table]:
        if response.status_code != 200:
            self.service.check_status(response.status_code, response.content)
            snippet = response.text.strip()[:120]
            raise AnswerRejectedError(f"HTTP {response.status_code}: {snippet!r}")
        records = question.read_records(question.parse(response.content))
        by_endpoint = records if isinstance(records, Mapping) else {answer.endpoint: records}
        tables = {}
        for endpoint, rows in by_endpoint.items():
            tables[endpoint], unknown = records_to_table(
                self.table(endpoint), rows, answer.fetch_id
            )
            self.warn_unknown(endpoint, unknown)
        return tables

    def warn_unknown(self, endpoint: str, names: Sequence[str]) -> None:
        """Say once per run that a vendor sent fields which the contract does not know; they are kept in `_extra`."""
        for name in names:
            if (endpoint, name) not in self._warned:
                self._warned.add((endpoint, name))
                log.warning(
                    "unknown field kept in _extra",
                    source=self.source.name,
                    endpoint=endpoint,
                    field=name,
                )


_SENT_AS = {"query": "params", "form": "form", "json": "json"}


class Attempt:
    """One attempt at one or more cells: its questions, asked one after another, and what came of them."""

    def __init__(self, collection: Collection, cells: Sequence[Cell]) -> None:
        self._collection = collection
        self._cells = cells
        self._answers: list[Answer] = []
        self._started_at = datetime.now(calendar.KST)

    @property
    def is_stopped(self) -> bool:
        """The vendor wants no further request."""
        return self._collection.stopped is not None

    @property
    def answers(self) -> Sequence[Answer]:
        """The answers so far, in the order received."""
        return tuple(self._answers)

    @property
    def row_count(self) -> int:
        """Records of all answers so far."""
        return sum(answer.row_count for answer in self._answers)

    def ask(self, question: Question) -> Answer:
        """Ask and remember the answer."""
        return self.add(self._collection.ask(question))

    def add(self, answer: Answer) -> Answer:
        """Remember an answer that was asked for beside the attempt (after a token that had to be replaced)."""
        self._answers.append(answer)
        return answer

    def fail(self, endpoint: str, request: Mapping[str, Any], error: str) -> None:
        """Note what went wrong beside the answers: a page that never came, a log-in that was refused."""
        answer = self._collection.new_answer(endpoint, request)
        answer.error = error
        self._answers.append(answer)

    def outcome(
        self, *, when_empty: Status = Status.EMPTY, statuses: dict[Cell, Status] | None = None
    ) -> Outcome:
        """What the attempt brought: FAILED or PARTIAL where answers failed, `when_empty` where no record came."""
        errors = [answer.error for answer in self._answers if answer.error]
        if errors:
            status = Status.FAILED if len(errors) == len(self._answers) else Status.PARTIAL
        else:
            status = Status.SUCCESS if self.row_count else when_empty
        return Outcome(
            cells=self._cells,
            answers=self._answers,
            status=status,
            error=errors[0] if errors else None,
            statuses={} if errors else statuses or {},
            started_at=self._started_at,
        )


@dataclass
class FeedResult:
    """Counts of one feed's run, for the summary."""

    source: str
    feed: str
    cells: dict[Status, int] = field(default_factory=lambda: defaultdict(int))
    rows: int = 0
    answers: int = 0
    stopped: str | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def collected(self) -> int:
        """Cells that were answered, whatever the answer."""
        return sum(n for status, n in self.cells.items() if status is not Status.FAILED)


class _Batch:
    """Outcomes on their way into the database."""

    def __init__(self, collection: Collection, feed: Feed, result: FeedResult) -> None:
        self._collection = collection
        self._feed = feed
        self._result = result
        self._entries: list[ledger.LedgerEntry] = []
        self._tables: dict[str, list[pa.Table]] = defaultdict(list)
        self._rows = 0
        self._answers = 0

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
        outcome = self._refuse_retracted(self._refuse_shrunk(outcome))
        fetch_ids = tuple(answer.fetch_id for answer in outcome.answers)
        entry = ledger.LedgerEntry(self._feed, outcome, fetch_ids, datetime.now(calendar.KST))
        successful = [c for c in outcome.cells if entry.status_of(c) is Status.SUCCESS]
        if successful:
            known = self._known(successful, outcome.answers)
            if known:
                unchanged = dict.fromkeys(successful, Status.UNCHANGED)
                outcome = replace(outcome, statuses=outcome.statuses | unchanged)
                return replace(entry, outcome=outcome, points_to=known)
        for answer in outcome.answers:
            for endpoint, table in answer.tables.items():
                if table.num_rows:
                    self._tables[self._collection.table(endpoint).name].append(table)
                    self._rows += table.num_rows
                    self._result.rows += table.num_rows
        return entry

    def _refuse_shrunk(self, outcome: Outcome) -> Outcome:
        """A list that lost more records than it may is a failed cell, never a mass delisting."""
        allowed = self._feed.may_shrink_by
        if (
            allowed is None
            or outcome.status is not Status.SUCCESS
            or self._collection.run.accept_shrunk_lists
        ):
            return outcome
        records = sum(answer.row_count for answer in outcome.answers)
        for cell in outcome.cells:
            before = ledger.records_before(
                self._collection.connection,
                self._collection.source.name,
                self._feed.datasets[0],
                cell,
            )
            if before and records < (1 - allowed) * before:
                error = (
                    f"{self._feed.name} {cell.scope}: the list shrank from {before} to {records} records, which is not"
                    " believed; if it is true, load again with ACCEPT_SHRUNK_LISTS=true"
                )
                return replace(outcome, status=Status.FAILED, error=error, statuses={})
        return outcome

    def _refuse_retracted(self, outcome: Outcome) -> Outcome:
        """An answer that was taken back and comes again is a failed cell: its rows must not return in silence."""
        cells = [
            cell
            for cell in outcome.cells
            if outcome.statuses.get(cell, outcome.status) is Status.SUCCESS
        ]
        hashes = [answer.payload_sha256 for answer in outcome.answers if answer.payload_sha256]
        if not cells or not hashes:
            return outcome
        retracted = ledger.retracted_answer(
            self._collection.connection,
            self._collection.source.name,
            self._feed.datasets[0],
            cells,
            hashes,
            latest_only=self._feed.latest_only,
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

    def flush(self) -> None:
        if not self._entries:
            return
        if self._tables:
            destination.append(self._tables)
            self._analyse()
        ledger.write(
            self._collection.connection,
            self._collection.source.name,
            self._entries,
            self._collection.rejected,
        )
        self._entries, self._tables = [], defaultdict(list)
        self._rows = self._answers = 0
        self._collection.rejected.clear()

    def _analyse(self) -> None:
        """Fresh statistics after a bulk load: without them the next build joins by scanning."""
        if self._rows >= 10_000:
            for name in self._tables:
                self._collection.connection.execute(f'analyze raw."{name}"')
            self._collection.connection.execute("analyze raw.fetches; analyze raw.fetch_cells")


def due_cells(
    collection: Collection,
    feed: Feed,
    *,
    start: date | None,
    end: date | None,
    scope: str | None,
    refresh: bool,
) -> list[Cell]:
    """Cells that are due and missing, oldest first.

    Args:
        collection: the run.
        feed: what to collect.
        start: first day; None for the default window (see `RunSettings.collect_since`).
        end: last day; None for today.
        scope: only this scope (a stock code or market).
        refresh: ask again for what is done already.
    """
    today = collection.now.date()
    days = feed.due_days(
        start or _window_start(collection, feed), min(end or today, today), collection.now
    )
    # a day that was named is a day that is wanted, though its week has been collected on another day
    is_named = start is not None and not feed.latest_only
    done = set() if refresh else _done(collection, feed, days, by_period=not is_named)
    if scope and feed.takes(scope):
        scopes: dict[date, Sequence[str]] = dict.fromkeys(days, (scope,))
    else:
        scopes = {
            day: [name for name in feed.scopes(collection, day) if scope in (None, name)]
            for day in days
        }
    return [
        cell for day in days for cell in (Cell(day, s) for s in scopes[day]) if cell not in done
    ]


def _done(
    collection: Collection, feed: Feed, days: Sequence[date], *, by_period: bool
) -> set[Cell]:
    """Cells of these days that need no request; with `by_period` a done day stands for its whole week or month."""
    if not days:
        return set()
    period = feed.cadence.period if by_period else Cadence.EVERY_SESSION.period
    found = ledger.done_cells(
        collection.connection, collection.source.name, feed, period(min(days)), max(days)
    )
    done = {(period(cell.day), cell.scope) for cell in found}
    scopes = {cell.scope for cell in found}
    return {Cell(day, scope) for day in days for scope in scopes if (period(day), scope) in done}


def _window_start(collection: Collection, feed: Feed) -> date:
    """Where a plain load begins to look: 20 sessions back, further after an outage, or as the user set it."""
    today = collection.now.date()
    if collection.run.collect_since and feed.window_sessions is None:
        return collection.run.collect_since
    recent = calendar.sessions(today - timedelta(days=60), today)
    first = recent[-(feed.window_sessions or DEFAULT_WINDOW_SESSIONS)]
    latest = ledger.latest_done_day(collection.connection, collection.source.name, feed)
    return min(first, latest) if latest else first


def collect_feed(
    collection: Collection, feed: Feed, cells: Sequence[Cell], *, show_progress: bool
) -> FeedResult:
    """Fetch cells and write them to raw and ledger; a vendor that stops ends the feed, what came before is kept.

    Raises:
        MixedDataError: sample and real data would meet; nothing was written.
        DatabaseError: raw tables or ledger cannot be written.
    """
    result = FeedResult(collection.source.name, feed.name)
    batch = _Batch(collection, feed, result)
    progress = tqdm(
        total=len(cells),
        desc=f"{collection.source.name} {feed.name}",
        unit="cell",
        disable=not show_progress,
    )
    with progress:
        for outcome in feed.collect(collection, cells):
            batch.add(outcome)
            progress.update(len(outcome.cells))
            if collection.stopped:
                result.stopped = collection.stopped
                break
        batch.flush()
    return result
