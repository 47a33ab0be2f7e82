"""The whole market on one day: daily bars of many names in one call, and the ranking that they are checked against."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from loaders.collect import Collection
from loaders.feeds import FUNDS, FUNDS_SINCE, WHOLE_MARKET, Answer, Cell, Outcome, Status
from loaders.infomax import api
from loaders.infomax.lists import MASTER_TYPES

CODES_PER_REQUEST = 500
TYPICAL_STOCKS = 2_750
"""For the plan, which is made without looking at the lists."""
COMPLETE_ENOUGH = 0.9
"""Share of the asked names below which a day counts as not yet complete (18:10 was seen to give 29 %)."""

TYPICAL_FUNDS = 1_600

RANKED_MARKETS = ("1", "7")
"""거래소, 코스닥."""


def bar_scopes(collection: Collection, day: date) -> list[str]:
    """The stocks, and the exchange traded funds where a list tells any; apart, so that a late fund holds back no stock."""
    has_funds = day >= FUNDS_SINCE and any(entry.kind == FUNDS for entry in collection.listed(day))
    return [WHOLE_MARKET, FUNDS] if has_funds else [WHOLE_MARKET]


def bar_requests(cells: Sequence[Cell]) -> int:
    """Requests for the bars of some days on a market of today's size."""
    return sum(
        -(-(TYPICAL_FUNDS if cell.scope == FUNDS else TYPICAL_STOCKS) // CODES_PER_REQUEST)
        for cell in cells
    )


def collect_bars(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/info`: every stock, or exchange traded fund, listed on a day, many codes in one call."""
    for cell in cells:
        codes = api.listed_codes(collection, cell.day, FUNDS if cell.scope == FUNDS else "STOCK")
        if not codes:
            yield collection.failure("stock/info", {}, cells, api.NO_MASTER)
            return
        attempt = collection.attempt([cell])
        for start in range(0, len(codes), CODES_PER_REQUEST):
            chunk = codes[start : start + CODES_PER_REQUEST]
            answer = api.ask(
                attempt,
                collection,
                "stock/info",
                code=",".join(chunk),
                date=api.yyyymmdd(cell.day),
            )
            api.fail_if_cut(collection, answer)
            answer.fail_if_stale("date", cell.day)
            if attempt.is_stopped:
                break
        outcome = attempt.outcome(when_empty=Status.NOT_PUBLISHED)
        # by name: the same rows twice, rows of another day or of names that nobody asked for make no day complete
        told = _names_told(attempt.answers, api.yyyymmdd(cell.day))
        asked = told & set(codes)
        if outcome.status is Status.SUCCESS and len(asked) < COMPLETE_ENOUGH * len(codes):
            outcome.status = Status.PARTIAL
            outcome.error = (
                f"only {len(told)} of {len(codes)} listed names on {cell.day};"
                " the vendor has not finished the day"
                if len(told) < COMPLETE_ENOUGH * len(codes)
                else f"only {len(asked)} of {len(codes)} listed names on {cell.day}, and"
                f" {len(told - asked)} that nobody asked for; the vendor no longer filters by code"
            )
        yield outcome


def _names_told(answers: Iterable[Answer], asked: str) -> set[str | None]:
    """Codes of which the answers tell the day that was asked for."""
    return {
        code
        for answer in answers
        for code, day in zip(answer.column("code"), answer.days("date"), strict=True)
        if day == asked
    }


def rank_requests(cells: Sequence[Cell]) -> int:
    """Requests for the ranking of some days: both markets are cut today and asked again by type."""
    return len(cells) * len(RANKED_MARKETS) * (1 + len(MASTER_TYPES))


def collect_ranking(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/rank` by market cap, market by market; one that is cut is asked again by type.

    There is no finer division. A type that is cut even so (KOSDAQ stocks) tells its 1,000 greatest names, which is what
    the check is made of: no error, and nothing is published from it.
    """
    for cell in cells:
        attempt = collection.attempt([cell])
        for market in RANKED_MARKETS:
            for security_type in ("", *MASTER_TYPES):
                if attempt.is_stopped:
                    break
                answer = api.ask(
                    attempt,
                    collection,
                    "stock/rank",
                    date=api.yyyymmdd(cell.day),
                    market=market,
                    type=security_type,
                    rank="cap",
                )
                api.fail_if_not_asked(answer, "date", api.yyyymmdd(cell.day))
                if not security_type and not api.is_cut(collection, answer):
                    break
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)
