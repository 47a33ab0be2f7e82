"""What a run has to ask for: the cells that are due and not done yet, or those of a session that goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

import structlog

from loaders import calendar, ledger
from loaders.collect import Collection
from loaders.feeds import Cadence, Cell, Feed, Outcome

DEFAULT_WINDOW_SESSIONS = 20

log = structlog.get_logger()


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
    return [
        cell for day in days for cell in _cells(collection, feed, day, scope) if cell not in done
    ]


def live_cells(collection: Collection, feed: Feed, scope: str | None) -> list[Cell]:
    """Cells of today's session while it goes on; none outside it, nor where the final answer has come."""
    day = collection.now.date()
    if not calendar.is_session(day):
        return []
    if not calendar.session_open(day) <= collection.now < feed.published(day):
        return []
    done = _done(collection, feed, [day], by_period=False)
    return [cell for cell in _cells(collection, feed, day, scope) if cell not in done]


def live_feed(feed: Feed) -> Feed:
    """The feed as it looks at a session that goes on, which never keeps final answers waiting.

    It ends when another load waits for its turn at the service, and when the day's data are final.
    """
    poll = feed.poll
    assert poll is not None

    def collect(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
        source, service = collection.source.name, collection.service.name
        for number, cell in enumerate(cells):
            is_final = collection.warehouse.now() >= feed.published(cell.day)
            if is_final or ledger.is_awaited(collection.connection, source, service):
                log.info(
                    "gives way to final answers",
                    source=source,
                    feed=feed.name,
                    left=len(cells) - number,
                )
                return
            yield from poll(collection, [cell])

    return replace(feed, collect=collect)


def _cells(collection: Collection, feed: Feed, day: date, scope: str | None) -> list[Cell]:
    """What a feed asks for of a day, or of it the one scope that was named; a stock code needs no list that has it."""
    if scope and feed.takes(scope):
        return [Cell(day, scope)]
    return [Cell(day, name) for name in feed.scopes(collection, day) if scope in (None, name)]


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
