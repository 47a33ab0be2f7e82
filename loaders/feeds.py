"""Words of the catalogue: what a source offers, in which cells, and when a cell is published.

A *source* is a vendor; a *service* is one of its interfaces, with a host, secrets and a rate of its own. A *feed* is one way
to collect one or more datasets from a service. A *cell* is one scope of a feed on one day: the unit that is due, fetched,
recorded in the ledger and asked for again. Scope `ALL` is the whole market, a market name is one market, a stock code is
one stock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from loaders import calendar
from loaders.errors import AnswerRejectedError
from loaders.payload import Rows, SentRecords

if TYPE_CHECKING:
    import pyarrow as pa
    import requests

    from loaders.collect import Collection
    from loaders.config import SourceSettings

WHOLE_MARKET = "ALL"
FUNDS = "ETF"
"""Scope, and kind of listing, of the exchange traded funds, where a source is asked for them apart from the stocks."""
FUNDS_SINCE = date(2002, 10, 14)
"""The first two began to trade."""
STOCK_CODE = re.compile(r"[0-9][0-9A-Z]{5}")


def refuse_other_stock(question: str, asked: str | None, told: object) -> None:
    """Refuse what is told of another stock than the one asked for: rows that name none would be published as this one's.

    Codes are told with letters or zeros before them (A005930), with a venue behind them (005930_NX), or not at all.

    Raises:
        AnswerRejectedError: the two are not the same.
    """
    code, of = (str(text or "").strip().partition("_")[0] for text in (asked, told))
    if code and of and not of.endswith(code[-6:]):
        raise AnswerRejectedError(
            f"{question}: asked for {asked}, the answer is of {told!r}; it is kept out"
        )


class Status(StrEnum):
    """How a cell ended."""

    SUCCESS = "SUCCESS"
    UNCHANGED = "UNCHANGED"
    EMPTY = "EMPTY"
    NOT_PUBLISHED = "NOT_PUBLISHED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    PROVISIONAL = "PROVISIONAL"
    """A look at a session that goes on: shown until the final answer replaces it, which is asked for all the same."""
    RETRACTED = "RETRACTED"
    """Not the end of an attempt: an answer was taken out of the current state (`loaders.retractions`)."""
    RESTORED = "RESTORED"
    """The retraction of an answer was undone."""


_SEPARATORS = str.maketrans("", "", "-/. ")


@cache
def is_day(text: str) -> bool:
    """Whether a text is a day YYYYMMDD of the market's two centuries.

    Of any other one it may be a day and an hour without their century: 26101213 of `261012135900`.
    """
    if len(text) != 8 or not text.isdecimal() or text[:2] not in ("19", "20"):
        return False
    try:
        return bool(datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        return False


DONE = (Status.SUCCESS, Status.UNCHANGED, Status.EMPTY)
"""A cell in one of these is not asked for again by a plain load."""


class Cadence(StrEnum):
    """How often a feed is collected: in a plain load, one day of each period is enough."""

    EVERY_SESSION = "every session"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    def period(self, day: date) -> date:
        """First calendar day of the period that a day lies in."""
        if self is Cadence.WEEKLY:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Cadence.MONTHLY else day


class Collected(StrEnum):
    """When a feed takes part in a load."""

    ALWAYS = "always"
    SOURCE_NAMED = "only with --source"
    """A second way to what another feed brings anyway: only a load that names the source asks for it."""
    SCOPE_NAMED = "only with --scope CODE"


@dataclass(frozen=True, order=True)
class Cell:
    """One scope of a feed on one day."""

    day: date
    scope: str


@dataclass(frozen=True)
class RejectedPayload:
    """An answer that could not be parsed, kept whole."""

    content_type: str | None
    payload: bytes


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
        payload_sha256: of the payload as received, less the vendor's clock where it tells one (of one session's rows for
            a growing file).
        tables: endpoint to its records, in the columns of its raw table or on the way there; empty when the answer was
            rejected. Nearly every answer fills the one table of its endpoint; one that carries a header record beside its
            list fills two.
        headers: of the response, for vendors that page by header; stored nowhere.
        error: why the answer is of no use, or None.
        rejected: the answer as it came, where it could not be parsed.
        undated: the label of one of its rows that tells no day, or None.
        later: the day of one of its rows after those that were asked for, or None.
    """

    fetch_id: int
    endpoint: str
    request: dict[str, Any]
    fetched_at: datetime
    http_status: int | None = None
    byte_count: int = 0
    payload_sha256: str | None = None
    tables: dict[str, SentRecords | pa.Table] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    rejected: RejectedPayload | None = None
    undated: str | None = None
    later: str | None = None
    _taken: int = field(default=0, init=False, repr=False)

    @property
    def row_count(self) -> int:
        """Number of records of the answer's own endpoint."""
        rows = self.tables.get(self.endpoint)
        return self._taken if rows is None else int(rows.num_rows)

    def take(self) -> Mapping[str, SentRecords | pa.Table]:
        """The records, which the answer lets go: it waits for the ledger long after them, and knows how many they were."""
        self._taken = self.row_count
        tables, self.tables = self.tables, {}
        return tables

    def fail_if_stale(self, column: str, day: date) -> None:
        """Refuse an answer none of whose rows is of the day asked for: its cell would count as done and stay empty.

        Single rows of another day are no reason: they are rejected one by one later on.
        """
        days = set(self.days(column))
        if days and f"{day:%Y%m%d}" not in days and not self.error:
            self.error = (
                f"{self.endpoint}: asked for {day}, the answer is of {min(days)!r}; it is kept out"
            )

    def fail_if_undated(self, column: str) -> None:
        """Refuse an answer none of whose rows begins its label with a day: all its cells would count as days without data.

        Single rows whose label cannot be read are no reason: they are rejected one by one later on. `undated` keeps one, since a
        day that the answer seems to lack may be its.
        """
        days = self.days(column)
        self.undated = next((day for day in set(days) if day and not is_day(day[:8])), None)
        if days and not self.error and not any(is_day(day[:8]) for day in days):
            self.error = (
                f"{self.endpoint}: no {column} of the answer tells a day YYYYMMDD;"
                f" one is {self.column(column)[0]!r}"
            )

    def fail_if_later(self, column: str, last_day: date) -> None:
        """Refuse an answer all of whose rows are of days after those asked for: of these it does not say that there are no data.

        The vendor has not heard which days were wanted. Single rows are no reason: they are rejected one by one later on. `later`
        keeps one, since a day that the answer seems to lack may be its.
        """
        days = {day for day in self.days(column) if is_day(day)}
        later = {day for day in days if day > f"{last_day:%Y%m%d}"}
        self.later = min(later, default=None)
        if later and later == days and not self.error:
            self.error = (
                f"{self.endpoint}: asked for days up to {last_day},"
                f" the answer is of {self.later!r} and later; it is kept out"
            )

    def column(self, name: str, endpoint: str | None = None) -> list[Any]:
        """One column of the records as Python values; empty when there are no records.

        Args:
            name: of the raw column.
            endpoint: where the records are not those of the answer's own.
        """
        rows = self.tables.get(endpoint or self.endpoint)
        if rows is None:
            return []
        return rows.values(name) if isinstance(rows, SentRecords) else rows[name].to_pylist()

    def days(self, name: str) -> list[str]:
        """A column of days as YYYYMMDD, with whatever separators they came; empty text where there is none."""
        values = self.column(name)
        plain = {value: str(value or "").translate(_SEPARATORS) for value in set(values)}
        if all(value == text for value, text in plain.items()):
            return values
        return [plain[value] for value in values]


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
        rows: endpoint to the rows of all answers, once they are taken out of those.
        told_until: of a PROVISIONAL outcome the moment up to which it tells all; what is later is not over yet.
    """

    cells: Sequence[Cell]
    answers: list[Answer]
    status: Status = Status.SUCCESS
    error: str | None = None
    statuses: dict[Cell, Status] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(calendar.KST))
    rows: dict[str, list[Rows]] = field(default_factory=dict)
    told_until: datetime | None = None


Collector = Callable[["Collection", Sequence[Cell]], Iterator[Outcome]]


def cell_by_cell(cells: Sequence[Cell]) -> Iterator[Sequence[Cell]]:
    """Each cell on its own, for `Feed.apart`."""
    return ([cell] for cell in cells)


def scope_by_scope(cells: Sequence[Cell]) -> Iterator[Sequence[Cell]]:
    """The cells of one scope after another, for `Feed.apart`."""
    by_scope: dict[str, list[Cell]] = {}
    for cell in cells:
        by_scope.setdefault(cell.scope, []).append(cell)
    return iter(by_scope.values())


@dataclass(frozen=True)
class Feed:
    """One way to collect one or more datasets from a service.

    Attributes:
        name: of the feed, unique within its source.
        datasets: what it fills; each gets its own cell in the ledger.
        collect: generator that fetches cells and yields outcomes as they come.
        poll: the same for today's session while it goes on, in a load with `--live`; its outcomes are PROVISIONAL. None
            for what is worth nothing before it is final.
        cadence: one day of each session, week or month.
        latest_only: the vendor tells only today's state: past days cannot be asked for, one look a period is kept.
        published_after_sessions: 0 when a session's data come on the same day, 1 for the next session.
        published_at: KST time of that day after which the data are final.
        scopes: the scopes that must be collected on a day; needs the database for a list of stocks.
        since: first day that the vendor has.
        window_sessions: how many sessions back a plain load looks at the most when nothing was collected yet; None for the
            usual window. For feeds whose every day costs thousands of requests.
        takes_stock_codes: a scope is a stock code.
        scope_pattern: of scopes that are taken as they stand when a load names one, beside those that `scopes` tells.
        collected: whether a plain load takes part, or only one that names the source or a scope.
        may_shrink_by: part of the records by which a list may be shorter than the one before; a list that lost more is a
            failed cell. None for what may have any length.
        list_part: field of the requests that divides a list into parts, each of which may shrink by no more either; None for
            a list that is asked for as one.
        request_count: how many requests some cells take; for the plan.
        apart: divides cells into parts that do not depend on each other, to be collected several at a time; None where they
            have to follow each other.
    """

    name: str
    datasets: tuple[str, ...]
    collect: Collector
    cadence: Cadence = Cadence.EVERY_SESSION
    latest_only: bool = False
    published_after_sessions: int = 0
    published_at: time = time(19, 0)
    scopes: Callable[[Collection, date], Sequence[str]] = lambda _collection, _day: (WHOLE_MARKET,)
    since: date = date(1995, 5, 2)
    window_sessions: int | None = None
    takes_stock_codes: bool = False
    scope_pattern: str | None = None
    collected: Collected = Collected.ALWAYS
    may_shrink_by: float | None = None
    list_part: str | None = None
    request_count: Callable[[Sequence[Cell]], int] = len
    apart: Callable[[Sequence[Cell]], Iterator[Sequence[Cell]]] | None = None
    poll: Collector | None = None

    def takes(self, scope: str) -> bool:
        """Whether a scope that a load names is taken as it stands."""
        if self.takes_stock_codes and STOCK_CODE.fullmatch(scope):
            return True
        return self.scope_pattern is not None and bool(re.fullmatch(self.scope_pattern, scope))

    def published(self, day: date) -> datetime:
        """When the data of a session are final, in KST."""
        publication_day = day
        for _ in range(self.published_after_sessions):
            publication_day = calendar.next_session(publication_day)
        return datetime.combine(publication_day, self.published_at, calendar.KST)

    def due_days(self, start: date, end: date, now: datetime) -> list[date]:
        """One session of each period from `start` to `end`, the last one whose data are final at `now`.

        Of a feed that tells only the latest state: the newest such session, whatever range was asked for, because what
        lies in the range is found through these lists.
        """
        if self.latest_only:
            today = now.astimezone(calendar.KST).date()
            start, end = today - timedelta(days=15), today
        final = [
            day
            for day in calendar.sessions(max(start, self.since), end)
            if self.published(day) <= now
        ]
        if self.latest_only:
            return final[-1:]
        return list({self.cadence.period(day): day for day in final}.values())


@dataclass(frozen=True)
class Service:
    """One interface of a vendor: its settings and its feeds, in the order in which they are collected.

    Attributes:
        name: within its source, for messages.
        title: Korean and English name.
        settings: settings class; its instance says which secrets are missing.
        how_to_get: one line on how to get access, or on how to switch a crawled site on.
        feeds: in order; a later feed may read what an earlier one collected.
        is_crawled: collected from pages made for people. Off until its address is set, slow on purpose, and a block stops
            the host for a day.
        is_busy: says of a response that it means "slow down", whatever its status; 429 and 5xx do so anyway.
        is_final: says of a response with such a status that asking again is no use (a token refused by HTTP 500).
        check_status: raises SourceStoppedError for a status and body that mean "no more requests", HostBlockedError for a
            block; called for every status but 200.
    """

    name: str
    title: str
    settings: type[SourceSettings]
    how_to_get: str
    feeds: tuple[Feed, ...]
    is_crawled: bool = False
    is_busy: Callable[[requests.Response], bool] = lambda _response: False
    is_final: Callable[[requests.Response], bool] = lambda _response: False
    check_status: Callable[[int, bytes], None] = lambda _status, _body: None


@dataclass(frozen=True)
class Source:
    """A vendor with all its services.

    Attributes:
        name: as in raw table names and in the ledger.
        title: Korean and English name.
        services: in the order in which they are collected.
        listings: SQL for the securities that this source's lists hold, see `loaders.universe`; None where it has no list.
    """

    name: str
    title: str
    services: tuple[Service, ...]
    listings: str | None = None

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Feeds of all services."""
        return tuple(feed for service in self.services for feed in service.feeds)
