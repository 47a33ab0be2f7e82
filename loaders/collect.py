"""What the package of a vendor works with: questions to its interface, their answers, and what came of an attempt.

Cells that do not depend on each other are asked for by several threads. They share the client's rate, the journal and one
connection for reading and for numbers; outcomes come back in the order of the cells.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from statistics import fmean
from typing import Any, Literal

import psycopg
import pyarrow as pa
import requests
import structlog

from loaders import blocks, calendar, ledger, universe
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
    UsageError,
)
from loaders.feeds import (
    STOCK_CODE,
    Answer,
    Cell,
    Feed,
    Outcome,
    RejectedPayload,
    Service,
    Source,
    Status,
)
from loaders.http import VendorClient
from loaders.journal import Journal, key_of
from loaders.parallel import in_order
from loaders.payload import SentRecords, pack, parse_json, take_in

SAMPLE_HEADER = "X-Sample-Data"
FETCH_IDS_AT_ONCE = 256
MINUTE_SETTLES = timedelta(seconds=10)
"""After its end a minute still takes in trades, and two clocks differ by some seconds."""
PARTS_AT_ONCE = 128
WORTH_THREADS_SECONDS = 0.002
"""Waiting for an answer that is shorter than reading it is no matter; threads that never wait make each other slower.

So quick are the answers that a killed load had received.
"""
MAY_BE_NO_STOCK_CODE = 0.2
"""Part of the codes of a list of stocks that may be none."""
MAY_BE_NO_STOCK_CODE_OF_A_DAY = 0.5
"""The same of a day's figures: whom they do not name lacks a row and is not gone, and the others' rows are good."""
FAILURES_BEFORE_STOP = 3
"""Requests in a row without any answer after which a host counts as unreachable; those under way together count once."""

ERRORS_BEFORE_RETRIES_END = 3
"""Server errors (a vendor's time-out in HTTP 200 too) and web pages in a row, whatever was asked, after which none is asked
again: the next cell is the next try."""
ERRORS_BEFORE_STOP = 200
"""Of these in a row after which the host counts as down; a vendor may well fail for all names of a new kind, one by one."""

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


class _Waits:
    """How long the vendor lets one wait for an answer, lately."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=64)

    def add(self, seconds: float) -> None:
        """An answer came after so long."""
        self._seconds.append(seconds)

    def mean(self) -> float:
        """Seconds for an answer; a vendor that has not been asked yet is one that lies behind a network."""
        seconds = tuple(self._seconds)
        return fmean(seconds) if seconds else math.inf


class Collection:
    """What a feed's collector works with: settings, client, ledger and the database of one run of one service.

    Attributes:
        source: the vendor.
        service: its interface.
        settings: of the service.
        run: settings of the run.
        connection: to the warehouse, for lists of stocks that earlier feeds loaded and for what threads share.
        now: the time of the run in KST (the frozen clock of a sample database).
        stopped: why the vendor wants no further request, or None.
        cache: what a feed keeps for the length of the run; threads make an entry by `once`.
        reused: answers that a killed load had received.
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
        self.cache: dict[str, Any] = {}
        self.stopped: str | None = None
        self._listings = listings
        self.reused = 0
        self._client = VendorClient(
            settings,
            run,
            service.is_busy,
            service.is_final,
            lambda: self._errors_in_a_row >= ERRORS_BEFORE_RETRIES_END,
        )
        self._lock = threading.RLock()
        self._waits = _Waits()
        self._feed: Feed | None = None
        self._journal: Journal | None = None
        self._fetch_ids: deque[int] = deque()
        self._is_refresh = False
        self._failures_in_a_row = 0
        self._errors_in_a_row = 0
        self._warned: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Release connections to the vendor."""
        self._client.close()

    def begin(self, feed: Feed, *, is_refresh: bool) -> None:
        """Answers are of this feed from now on; what a killed load has received of it is used before the vendor is asked."""
        self._journal = Journal(self.connection, f"{self.source.name}.{self.service.name}")
        self._feed, self._is_refresh, self.reused = feed, is_refresh, 0
        raw_tables()  # else every thread would read the contracts with its first answer

    def end(self, *, is_written: bool) -> None:
        """The feed has come to its end, or the run breaks off."""
        if self._journal:
            self._journal.close(is_written=is_written)
        self._journal = self._feed = None

    def settled(self, answers: Iterable[Answer]) -> None:
        """The ledger has these answers: a later load must not take them from the journal."""
        if self._journal:
            self._journal.forget(answer.fetch_id for answer in answers)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """An entry of `cache`, made by the first thread that asks for it."""
        with self._lock:
            if key not in self.cache:
                self.cache[key] = make()
            return self.cache[key]

    def table(self, endpoint: str) -> RawTable:
        """Field contract of an endpoint.

        Raises:
            UsageError: there is none.
        """
        name = self.source.name
        table = raw_tables().get((name, endpoint))
        if table is None:
            raise UsageError(
                f"{name}: no raw table is of the endpoint {endpoint!r}; describe its fields in"
                f" models/staging/{name}/_{name}__sources.yml, with meta: {{endpoint: {endpoint}}}"
            )
        return table

    def listed(self, day: date) -> list[universe.Listing]:
        """Securities listed on a day by the newest lists of all sources, by code; empty before any list was collected."""
        listings = self.once(
            "listings", lambda: universe.read_listings(self.connection, self._listings)
        )
        return universe.listed_on(listings, day)

    def told_until(self) -> datetime:
        """The minute, in KST, before which every minute is over at this moment and its trades have settled."""
        return (self.warehouse.now() - MINUTE_SETTLES).replace(second=0, microsecond=0)

    def new_answer(self, endpoint: str, request: Mapping[str, Any]) -> Answer:
        """An empty answer with an identity of its own."""
        with self._lock:
            if not self._fetch_ids:
                self._fetch_ids.extend(ledger.next_fetch_ids(self.connection, FETCH_IDS_AT_ONCE))
            fetch_id = self._fetch_ids.popleft()
        return Answer(
            fetch_id=fetch_id,
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

    def ask(self, question: Question, cells: Sequence[Cell]) -> Answer:
        """Ask one question about some cells and read the answer; what goes wrong with it stands in `Answer.error`.

        When the vendor wants no further request, or cannot be reached at all, `stopped` says why from then on, and nothing
        more is asked. An answer that a killed load received is read again instead.

        Raises:
            MixedDataError: a sample answer for a real database, or the reverse.
        """
        answer = self.new_answer(question.endpoint, {**question.params, **question.noted})
        if self.stopped:  # by another thread
            answer.error = self.stopped
            return answer
        key = self._journal_key(question, cells)
        received = self._journal.take(key, answer.fetch_id) if self._journal and key else None
        if received:
            with self._lock:
                self.reused += 1
            self._waits.add(0)
            answer.fetched_at = received.received_at
            self._take_in(answer, question, 200, received.content, received.headers)
            return answer
        try:
            asked_at = time.perf_counter()
            response = self.send(
                "GET" if question.sent_as == "query" else "POST",
                question.path,
                headers=question.headers,
                **{_SENT_AS[question.sent_as]: {**question.params, **question.unrecorded}},
            )
        except RequestFailedError as error:
            answer.error = str(error)
            return answer
        self._waits.add(time.perf_counter() - asked_at)
        answer.fetched_at = datetime.now(calendar.KST)
        self._take_in(answer, question, response.status_code, response.content, response.headers)
        self._count_error(answer, response)
        # an answer without records says "not yet" as often as "nothing": it is asked for again
        if self._journal and key and answer.row_count and not answer.error:
            self._journal.keep(
                key, answer.fetch_id, answer.fetched_at, response.content, response.headers
            )
        return answer

    def _journal_key(self, question: Question, cells: Sequence[Cell]) -> str | None:
        """Under which an answer waits in the journal; None for days that are not over, whose answers must not be kept."""
        feed = self._feed
        if feed is None or any(feed.published(cell.day) > self.now for cell in cells):
            return None
        return key_of(
            *(self.source.name, self.service.name, self.settings.base_url, feed.name),
            *(question.endpoint, question.path, question.sent_as),
            *(sorted(question.params.items()), sorted(question.noted.items())),
            *([(cell.day, cell.scope) for cell in cells], self._is_refresh),
        )

    def _take_in(
        self,
        answer: Answer,
        question: Question,
        status: int,
        content: bytes,
        headers: Mapping[str, str],
    ) -> None:
        """Read what came into an answer."""
        answer.http_status = status
        answer.byte_count = len(content)
        answer.payload_sha256 = question.digest(content)
        answer.headers = headers
        try:
            answer.tables = self._read(answer, question, status, content)
        except SourceStoppedError as error:
            answer.error = str(error)
            self.stop(error)
        except AnswerRejectedError as error:
            answer.error = str(error)
            self.reject(answer, content, headers.get("Content-Type"))

    def _count_error(self, answer: Answer, response: requests.Response) -> None:
        """Stop where a host answers with nothing but server errors or web pages: thousands of cells would meet the same."""
        is_down = bool(answer.error) and (
            response.status_code >= 500
            or response.content.lstrip()[:1] == b"<"
            or self.service.is_busy(response)
        )
        with self._lock:
            self._errors_in_a_row = self._errors_in_a_row + 1 if is_down else 0
            if self._errors_in_a_row == ERRORS_BEFORE_STOP:
                self.stop(
                    SourceStoppedError(
                        f"{ERRORS_BEFORE_STOP} answers in a row were errors of the server or web pages, the last one"
                        f" {answer.error}; the vendor may be under maintenance: run again later"
                    )
                )

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
            with self._lock:
                self._failures_in_a_row += 1
                if self._failures_in_a_row >= FAILURES_BEFORE_STOP + self.concurrency - 1:
                    self.stop(error)
            raise
        self._failures_in_a_row = 0
        self.check_sample(SAMPLE_HEADER in response.headers)
        return response

    def stop(self, error: LoaderError) -> None:
        """Ask this vendor nothing more in this run; after a block its host is left alone for a day."""
        with self._lock:
            self.stopped = self.stopped or f"{self.source.name}: {error}"
        if isinstance(error, HostBlockedError):
            blocks.record(self.connection, self.settings.base_url, str(error))

    @property
    def concurrency(self) -> int:
        """Threads that ask at the same time for the feed at hand; pages made for people are asked for one by one."""
        is_apart = self._feed is not None and self._feed.apart is not None
        return self.settings.concurrency if is_apart and not self.service.is_crawled else 1

    def outcomes(self, feed: Feed, cells: Sequence[Cell]) -> Generator[Outcome, None, None]:
        """Outcomes of the feed in the order of the cells, until the vendor stops; what was under way then is still given."""

        def collect(part: Sequence[Cell]) -> list[Outcome]:
            return [] if self.stopped else list(map(_with_rows, feed.collect(self, part)))

        if feed.apart is None or self.concurrency == 1:
            for outcome in feed.collect(self, cells):
                yield _with_rows(outcome)
                if self.stopped:
                    return
            return
        parts = (part for part in feed.apart(cells) if not self.stopped)
        try:
            while some := list(islice(parts, PARTS_AT_ONCE)):
                is_worth_threads = self._waits.mean() >= WORTH_THREADS_SECONDS
                # by name, so that threads are waited for only after they have been told to stop
                results = (
                    in_order(collect, some, self.concurrency)
                    if is_worth_threads
                    else map(collect, some)
                )
                for found in results:
                    yield from found
        except BaseException as error:
            # nobody reads on: the threads ask for nothing more
            self.stopped = self.stopped or f"{self.source.name}: cut short ({type(error).__name__})"
            raise

    def failure(
        self, endpoint: str, request: Mapping[str, Any], cells: Sequence[Cell], error: str
    ) -> Outcome:
        """Cells that failed without an answer that could be read."""
        answer = self.new_answer(endpoint, request)
        answer.error = error
        return Outcome(cells=cells, answers=[answer], status=Status.FAILED, error=error)

    def reject(self, answer: Answer, payload: bytes, content_type: str | None = None) -> None:
        """Keep an answer whole that could not be parsed; `answer.error` says why."""
        answer.rejected = RejectedPayload(content_type, payload)

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
        self, answer: Answer, question: Question, status: int, content: bytes
    ) -> dict[str, SentRecords | pa.Table]:
        if status != 200:
            self.service.check_status(status, content)
            snippet = content.decode(errors="replace").strip()[:120]
            raise AnswerRejectedError(f"HTTP {status}: {snippet!r}")
        records = question.read_records(question.parse(content))
        by_endpoint = records if isinstance(records, Mapping) else {answer.endpoint: records}
        tables = {}
        for endpoint, rows in by_endpoint.items():
            tables[endpoint], unknown = take_in(self.table(endpoint), rows, answer.fetch_id)
            self.warn_unknown(endpoint, unknown)
        return tables

    def warn_unknown(self, endpoint: str, names: Sequence[str]) -> None:
        """Say once per run that a vendor sent fields which the contract does not know; they are kept in `_extra`."""
        for name in names:
            with self._lock:
                is_new = (endpoint, name) not in self._warned
                self._warned.add((endpoint, name))
            if is_new:
                log.warning(
                    "unknown field kept in _extra",
                    source=self.source.name,
                    endpoint=endpoint,
                    field=name,
                )


def _with_rows(outcome: Outcome) -> Outcome:
    """Take the rows out of the answers, in the thread that read them: for another one they would lie far away."""
    found = defaultdict(list)
    for answer in outcome.answers:
        for endpoint, rows in answer.take().items():
            found[endpoint].append(rows)
    outcome.rows.update((endpoint, pack(parts)) for endpoint, parts in found.items())
    return outcome


def _misdated(answer: Answer) -> str | None:
    """What one of the rows of an answer tells in place of its day, or None."""
    if answer.undated:
        return f"tells no day, {answer.undated!r}"
    return f"tells {answer.later!r}, after the days asked for" if answer.later else None


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
    def cells(self) -> Sequence[Cell]:
        """What is attempted."""
        return self._cells

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
        return self.add(self._collection.ask(question, self._cells))

    def add(self, answer: Answer) -> Answer:
        """Remember an answer that was asked for beside the attempt (after a token that had to be replaced)."""
        self._answers.append(answer)
        return answer

    def fail_if_codes_are_none(
        self,
        column: str,
        code: re.Pattern[str] = STOCK_CODE,
        may_be_none: float = MAY_BE_NO_STOCK_CODE,
    ) -> None:
        """Refuse a list most of whose codes are no stock codes: whom it does not name would count as gone from the market.

        Some codes may be of another kind (of notes, with a letter in front); codes that lost their zeros are most of them.
        """
        codes = [sent for answer in self._answers for sent in answer.column(column)]
        others = [sent for sent in codes if not code.fullmatch(sent or "")]
        if any(answer.error for answer in self._answers):
            return  # which says what is wrong better than its codes do
        if len(others) > may_be_none * len(codes):
            for answer in self._answers:
                answer.error = (
                    f"{answer.endpoint}: {len(others)} of {len(codes)} codes of the list are no stock codes, {others[0]!r}"
                    " among them; it is kept out (leading zeros lost, or a field of another meaning)"
                )

    def fail(self, endpoint: str, request: Mapping[str, Any], error: str) -> None:
        """Note what went wrong beside the answers: a page that never came, a log-in that was refused."""
        answer = self._collection.new_answer(endpoint, request)
        answer.error = error
        self._answers.append(answer)

    def outcome(
        self,
        *,
        when_empty: Status = Status.EMPTY,
        statuses: dict[Cell, Status] | None = None,
        told_until: datetime | None = None,
        doubt: str | None = None,
    ) -> Outcome:
        """What the attempt brought: FAILED or PARTIAL where answers failed, `when_empty` where no record came.

        With `told_until` it was a look at a session that goes on, and what came is PROVISIONAL. A day that the answers lack is
        FAILED where one of their rows tells no day, or one after those asked for: it may be of that one, and what is EMPTY is
        never asked for again. `doubt` says why single cells are FAILED by `statuses`.
        """
        errors = [answer.error for answer in self._answers if answer.error]
        error = errors[0] if errors else doubt
        statuses = {} if errors else dict(statuses or {})
        misdated = next(filter(None, map(_misdated, self._answers)), None)
        doubted = [cell for cell, status in statuses.items() if status is Status.EMPTY]
        if misdated and doubted:
            error = f"a row of the answer {misdated}: it may be of this one"
            statuses |= dict.fromkeys(doubted, Status.FAILED)
        if errors:
            status = Status.FAILED if len(errors) == len(self._answers) else Status.PARTIAL
        else:
            status = Status.PROVISIONAL if told_until else Status.SUCCESS
            status = status if self.row_count else when_empty
        return Outcome(
            cells=self._cells,
            answers=self._answers,
            status=status,
            error=error,
            statuses=statuses,
            started_at=self._started_at,
            told_until=told_until,
        )
