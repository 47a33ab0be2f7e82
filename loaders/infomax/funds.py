"""Exchange traded funds: what one creation unit holds (PDF, portfolio deposit file)."""

from collections.abc import Iterator, Sequence
from datetime import date

from loaders.collect import Collection
from loaders.feeds import Answer, Cell, Outcome, Status
from loaders.infomax import api
from loaders.payload import as_count

COMPLETE_ENOUGH = 0.9
"""Share of the components that the vendor counts itself below which an answer is half a list."""
UNTOLD_LINES = 2
"""Lines that may be counted without being told, however small the portfolio: cash and what is owed."""


def listed_funds(collection: Collection, day: date) -> list[str]:
    """Codes of the funds listed on a day, those with letters too."""
    return api.listed_codes(collection, day, "ETF")


def _fail_if_half(answer: Answer) -> None:
    """Compare the components with the vendor's own count of them, where it can be read."""
    told = map(as_count, answer.column("constituents"))
    counts = [count for count in told if count is not None]
    enough = min(COMPLETE_ENOUGH * max(counts), max(counts) - UNTOLD_LINES) if counts else 0
    if not answer.error and answer.row_count < enough:
        answer.error = (
            f"etf/port {answer.request['code']}: {answer.row_count} of {max(counts)} components came;"
            " half a list is kept out, the next load asks again"
        )


def collect_portfolios(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`etf/port`: one fund on one day; the scope is the fund's code.

    A fund with more components than an answer holds is a failed cell: there is no way to ask for the rest.
    """
    kinds: dict[date, dict[str, str]] = {}
    for cell in cells:
        if cell.day not in kinds:
            kinds[cell.day] = {entry.code: entry.kind for entry in collection.listed(cell.day)}
        if kinds[cell.day].get(cell.scope, "ETF") != "ETF":
            continue  # a stock named by --scope has no portfolio
        attempt = collection.attempt([cell])
        asked = api.yyyymmdd(cell.day)
        answer = api.ask(attempt, collection, "etf/port", code=cell.scope, date=asked, sort="value")
        api.fail_if_cut(collection, answer)
        api.fail_if_not_asked(answer, "code", cell.scope)
        api.fail_if_not_asked(answer, "date", asked)
        _fail_if_half(answer)
        # empty on a holiday, which this day is not, or before it is there
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)
