"""What is asked for by code and range: daily bars, flows and foreign ownership of a stock, levels of an index."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta

from loaders import calendar
from loaders.collect import Collection
from loaders.feeds import Answer, Cell, Outcome, Status
from loaders.indices import indices, infomax_code
from loaders.infomax import api

HISTORY_DAYS_PER_REQUEST = 900
"""At most 640 sessions: below the cap of 1,000 rows."""
INVESTOR_DAYS_PER_REQUEST = 60
"""At most 43 sessions with fourteen types each."""

FIRST_BAR_DAYS = 40
"""How long after its listing day a stock's first bar is asked for by name."""

FINAL_AT = time(19, 0)
FOREIGN_AT = time(5, 30)
"""Foreign ownership of a session comes at this time of the morning after it."""


def ranges(cells: Sequence[Cell], longest: int) -> Iterator[list[Cell]]:
    """Group the cells of each scope into ranges no longer than so many days: one request each."""
    by_scope: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_scope[cell.scope].append(cell)
    for scope in sorted(by_scope):
        group: list[Cell] = []
        for cell in sorted(by_scope[scope]):
            if group and cell.day - group[0].day >= timedelta(days=longest):
                yield group
                group = []
            group.append(cell)
        yield group


def request_count(longest: int) -> Callable[[Sequence[Cell]], int]:
    """How many requests some cells take, for the plan."""
    return lambda cells: sum(1 for _ in ranges(cells, longest)) if cells else 0


def same_evening(day: date) -> datetime:
    """When the data of a session are final."""
    return datetime.combine(day, FINAL_AT, calendar.KST)


def next_morning(day: date) -> datetime:
    """When the foreign ownership of a session is final."""
    return datetime.combine(calendar.next_session(day), FOREIGN_AT, calendar.KST)


def _fail_if_outside(answer: Answer, asked: Sequence[Cell]) -> None:
    """Make an answer an error that holds days which were not asked for, or no days: its rows would find no cell.

    A holiday within the range is such a day too, unless it was asked for before its closure was known.
    """
    first, last = answer.request["startDate"], answer.request["endDate"]
    sessions = calendar.sessions(asked[0].day, asked[-1].day)
    known = {api.yyyymmdd(day) for day in (*sessions, *(cell.day for cell in asked))}
    strangers = [day for day in answer.days("date") if day not in known]
    if strangers and not answer.error:
        answer.error = (
            f"{answer.endpoint} {answer.request['code']}: asked for {first} to {last}, the answer holds {strangers[0]!r};"
            " it is kept out"
        )


def _collect(
    collection: Collection,
    cells: Sequence[Cell],
    endpoint: str,
    *,
    longest: int,
    published: Callable[[date], datetime] = same_evening,
    code_of: Callable[[str], str] = str,
) -> Iterator[Outcome]:
    """One code over a range of days in one call.

    A day that the answer lacks is EMPTY (not listed, no trades) once the day after it is published; the newest one may be
    late, whatever the hour.
    """
    for group in ranges(cells, longest):
        code = code_of(group[0].scope)
        attempt = collection.attempt(group)
        answer = api.ask(
            attempt,
            collection,
            endpoint,
            code=code,
            startDate=api.yyyymmdd(group[0].day),
            endDate=api.yyyymmdd(group[-1].day),
        )
        api.fail_if_cut(collection, answer)
        api.fail_if_lacking(answer, "code", code)
        _fail_if_outside(answer, group)
        came = set(answer.days("date"))
        statuses = {
            cell: Status.NOT_PUBLISHED
            if published(calendar.next_session(cell.day)) > collection.now
            else Status.EMPTY
            for cell in group
            if api.yyyymmdd(cell.day) not in came
        }
        yield attempt.outcome(statuses=statuses)


def collect_history(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/hist`: the back-fill of one name."""
    return _collect(collection, cells, "stock/hist", longest=HISTORY_DAYS_PER_REQUEST)


def collect_investors(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/investor`: fourteen types of one stock over up to 60 days.

    The filter stays empty: the label of the pension type in answers differs from the documented one.
    """
    return _collect(collection, cells, "stock/investor", longest=INVESTOR_DAYS_PER_REQUEST)


def collect_foreign_ownership(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/foreign`: what foreigners hold of one stock, and what they may hold."""
    return _collect(
        collection,
        cells,
        "stock/foreign",
        longest=HISTORY_DAYS_PER_REQUEST,
        published=next_morning,
    )


def collect_index_levels(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`index/hist`: levels of one index; the scope is its canonical name."""
    return _collect(
        collection,
        cells,
        "index/hist",
        longest=HISTORY_DAYS_PER_REQUEST,
        code_of=infomax_code,
    )


def listed_stocks(collection: Collection, day: date) -> list[str]:
    """Codes of the stocks listed on a day."""
    return api.listed_codes(collection, day, "STOCK")


def new_listings(collection: Collection, day: date) -> list[str]:
    """Codes of the stocks listed on this very day, while it is recent.

    The master lacks a name on its listing day, so `stock/info` did not ask for it: its first bar is asked for by name.
    """
    if day < collection.now.date() - timedelta(days=FIRST_BAR_DAYS):
        return []  # a later back-fill goes by a master that has it
    on_day = api.yyyymmdd(day)
    listed = {entry.code for entry in collection.listed(day) if entry.listed == on_day}
    return [code for code in listed_stocks(collection, day) if code in listed]


def index_names(_collection: Collection, _day: date) -> list[str]:
    """Names of the indices that the vendor has."""
    return [index.name for index in indices() if index.infomax_code]
