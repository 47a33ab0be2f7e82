"""Words of the catalogue: what a source offers, in which cells, and when a cell is published.

A *feed* is one way to collect one or more datasets from a source. A *cell* is one scope of a feed on one day: the unit that
is due, fetched, recorded in the ledger and asked for again. Scope `ALL` is the whole market, a market name is one
market, a stock code is one stock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from loaders import calendar

if TYPE_CHECKING:
    import pyarrow as pa

    from loaders.collect import Collection
    from loaders.config import SourceSettings

WHOLE_MARKET = "ALL"


class Status(StrEnum):
    """How a cell ended."""

    SUCCESS = "SUCCESS"
    UNCHANGED = "UNCHANGED"
    EMPTY = "EMPTY"
    NOT_PUBLISHED = "NOT_PUBLISHED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


DONE = (Status.SUCCESS, Status.UNCHANGED, Status.EMPTY)
"""A cell in one of these is not asked for again by a plain load."""


class Cadence(StrEnum):
    """How often a feed is collected."""

    EVERY_SESSION = "every session"
    LATEST_ONLY = "latest state"
    """The vendor tells only today's state: past days cannot be asked for, one look per session is kept."""


@dataclass(frozen=True, order=True)
class Cell:
    """One scope of a feed on one day."""

    day: date
    scope: str


@dataclass
class Answer:
    """One answer of a vendor, parsed or not.

    Attributes:
        fetch_id: identity of the answer in `raw.fetches`.
        endpoint: the vendor's endpoint, as the field contract names it.
        request: what was asked, without secrets.
        fetched_at: when the answer came.
        http_status: of the answer; None for a file read from disk or where no answer came.
        byte_count: size of the payload as received.
        payload_sha256: of the payload as received (of one session's rows for a growing file).
        table: the records in the columns of the raw table; None when there are none or they were rejected.
        error: why the answer is of no use, or None.
    """

    fetch_id: int
    endpoint: str
    request: dict[str, Any]
    fetched_at: datetime
    http_status: int | None = None
    byte_count: int = 0
    payload_sha256: str | None = None
    table: pa.Table | None = None
    error: str | None = None

    @property
    def row_count(self) -> int:
        """Number of records."""
        return 0 if self.table is None else self.table.num_rows


@dataclass
class Outcome:
    """What one attempt at one or more cells brought.

    Attributes:
        cells: the cells that the answers cover.
        answers: every answer of the attempt, failed ones included, in the order received.
        status: SUCCESS unless said otherwise; the ledger turns it into UNCHANGED where the payload is known already.
        error: for a human, where status is FAILED or PARTIAL.
        statuses: of single cells where they differ from `status` (a range that lacks some days).
        started_at: when the first request went out.
    """

    cells: Sequence[Cell]
    answers: list[Answer]
    status: Status = Status.SUCCESS
    error: str | None = None
    statuses: dict[Cell, Status] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(calendar.KST))


Collector = Callable[["Collection", Sequence[Cell]], Iterator[Outcome]]


@dataclass(frozen=True)
class Feed:
    """One way to collect one or more datasets from a source.

    Attributes:
        name: of the feed, unique within its source.
        datasets: what it fills; each gets its own cell in the ledger.
        collect: generator that fetches cells and yields outcomes as they come.
        cadence: every session, or the latest state only.
        published_after_sessions: 0 when a session's data come on the same day, 1 for the next session.
        published_at: KST time of that day after which the data are final.
        scopes: the scopes that must be collected on a day; needs the database for a list of stocks.
        since: first day that the vendor has.
        takes_stock_codes: a scope is a stock code.
        by_request_only: collected only when a scope is named, never by a plain load.
    """

    name: str
    datasets: tuple[str, ...]
    collect: Collector
    cadence: Cadence = Cadence.EVERY_SESSION
    published_after_sessions: int = 0
    published_at: time = time(19, 0)
    scopes: Callable[[Collection, date], Sequence[str]] = lambda _collection, _day: (WHOLE_MARKET,)
    since: date = date(1995, 5, 2)
    takes_stock_codes: bool = False
    by_request_only: bool = False

    def published(self, day: date) -> datetime:
        """When the data of a session are final, in KST."""
        publication_day = day
        for _ in range(self.published_after_sessions):
            publication_day = calendar.next_session(publication_day)
        return datetime.combine(publication_day, self.published_at, calendar.KST)

    def due_days(self, start: date, end: date, now: datetime) -> list[date]:
        """Sessions from `start` to `end` whose data are final at `now`; for a latest-state feed the newest one only."""
        if self.cadence is Cadence.LATEST_ONLY:
            today = now.astimezone(calendar.KST)
            reached = [
                day
                for day in calendar.sessions(today.date() - timedelta(days=15), today.date())
                if self.published(day) <= today
            ]
            # whatever range was asked for: what lies in it is found through these lists
            return reached[-1:]
        return [
            day
            for day in calendar.sessions(max(start, self.since), end)
            if self.published(day) <= now
        ]


@dataclass(frozen=True)
class Source:
    """A vendor: its settings and its feeds, in the order in which they are collected.

    Attributes:
        name: as in raw table names and in the ledger.
        title: Korean and English name.
        settings: settings class; its instance says which secrets are missing.
        how_to_get: one line on how to get access.
        feeds: in order; a later feed may read what an earlier one collected.
        is_busy: says of a body with HTTP 200 that it means "slow down".
        check_status: raises SourceStoppedError for an HTTP status and body that mean "no more requests".
    """

    name: str
    title: str
    settings: type[SourceSettings]
    how_to_get: str
    feeds: tuple[Feed, ...]
    is_busy: Callable[[bytes], bool] = lambda _body: False
    check_status: Callable[[int, bytes], None] = lambda _status, _body: None
