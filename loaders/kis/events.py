"""What is asked for by range or as of now: records of corporate actions, holidays, parts of funds, one stock's facts."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby

from loaders.collect import Attempt, Collection
from loaders.feeds import Cell, Outcome, Status
from loaders.kis.client import Request, ask, pages
from loaders.kis.prices import QUOTATIONS, code_for_vendor, yyyymmdd


def _depository(name: str, tr_id: str, records: str = "output1") -> Request:
    return Request(f"ksdinfo/{name}", f"domestic-stock/v1/ksdinfo/{name}", tr_id, records)


DEPOSITORY: dict[str, tuple[Request, dict[str, str]]] = {
    # what the depository records: kind of request, what it wants beside the range and the code
    "rev-split": (_depository("rev-split", "HHKDB669105C0"), {"MARKET_GB": "0"}),
    "bonus-issue": (_depository("bonus-issue", "HHKDB669101C0"), {}),
    # 2: by record date; the list is called `output` here
    "paidin-capin": (_depository("paidin-capin", "HHKDB669100C0", "output"), {"GB1": "2"}),
    "cap-dcrs": (_depository("cap-dcrs", "HHKDB669106C0"), {}),
    "merger-split": (_depository("merger-split", "HHKDB669104C0"), {}),
    "list-info": (_depository("list-info", "HHKDB669107C0"), {}),
    "dividend": (_depository("dividend", "HHKDB669102C0"), {"GB1": "0", "HIGH_GB": ""}),
}
HOLIDAYS = Request("chk-holiday", f"{QUOTATIONS}/chk-holiday", "CTCA0903R", "output")
FUND_PARTS = Request(
    "inquire-component-stock-price",
    "etfetn/v1/quotations/inquire-component-stock-price",
    "FHKST121600C0",
    "output2",
    "output1",
)
STOCK_INFO = Request("search-stock-info", f"{QUOTATIONS}/search-stock-info", "CTPF1002R", "output")

DAYS_BEFORE = 7
"""What was recorded late for days just gone."""
DAYS_AHEAD = 21
"""An ex-date lies before its record date: what is to come has to be known today."""
LONGEST_RANGE = timedelta(days=31)
RECORDS_AT_MOST = 100
"""Where the vendor has no next page, an answer of so many records may have been cut."""
MOST_PAGES = 40
HOLIDAYS_AHEAD = timedelta(days=70)


def depository_scopes(_collection: Collection, _day: date) -> Sequence[str]:
    """The kinds of records."""
    return tuple(DEPOSITORY)


def collect_depository(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`ksdinfo/*`: records of the whole market by record date, a week back and three ahead of each day.

    The newest look at a record date is the one that counts, so that a date that moved is taken over.
    """
    by_kind = sorted(cells, key=lambda cell: (cell.scope, cell.day))
    for kind, of_kind in groupby(by_kind, key=lambda cell: cell.scope):
        for group in _ranges(list(of_kind)):
            attempt = collection.attempt(group)
            _ask_range(
                attempt,
                collection,
                kind,
                group[0].day - timedelta(days=DAYS_BEFORE),
                group[-1].day + timedelta(days=DAYS_AHEAD),
            )
            yield attempt.outcome()


def _ranges(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    group: list[Cell] = []
    for cell in cells:
        if group and cell.day - group[0].day > LONGEST_RANGE:
            yield group
            group = []
        group.append(cell)
    yield group


def _ask_range(attempt: Attempt, collection: Collection, kind: str, start: date, end: date) -> None:
    """Ask for a range, and for its halves where the answer may have been cut.

    The vendor documents no next page for most of these lists, yet sends the header of one at times.
    """
    request, wanted = DEPOSITORY[kind]
    params = {"SHT_CD": "", "CTS": "", "F_DT": yyyymmdd(start), "T_DT": yyyymmdd(end), **wanted}
    records = 0
    page_count = 0
    for page in pages(attempt, collection, request, params, most=MOST_PAGES):
        records += page.answer.row_count
        page_count += 1
    if page_count == 1 and page.is_closed:
        attempt.fail(request.endpoint, params, f"{kind}: not served at this time of the day")
    if page_count != 1 or not records or records % RECORDS_AT_MOST or attempt.is_stopped:
        return
    if start == end:
        message = f"{kind} {start}: {records} records and perhaps more; the vendor has no next page"
        attempt.fail(request.endpoint, params, message)
        return
    middle = start + (end - start) // 2
    _ask_range(attempt, collection, kind, start, middle)
    _ask_range(attempt, collection, kind, middle + timedelta(days=1), end)


def collect_holidays(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`chk-holiday`: open and closed days from the first of a month on, some ten weeks ahead.

    The vendor asks for no more than one look a day.
    """
    for cell in cells:
        attempt = collection.attempt([cell])
        start = cell.day.replace(day=1)
        params = {"BASS_DT": yyyymmdd(start), "CTX_AREA_NK": "", "CTX_AREA_FK": ""}
        for page in pages(attempt, collection, HOLIDAYS, params, most=MOST_PAGES):
            if max(page.answer.days("bass_dt"), default="") >= yyyymmdd(cell.day + HOLIDAYS_AHEAD):
                break
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def listed_funds(collection: Collection, day: date) -> Sequence[str]:
    """Codes of the exchange traded funds listed on a day by the lists of every source."""
    return [entry.code for entry in collection.listed(day) if entry.kind == "ETF"]


def collect_fund_parts(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`inquire-component-stock-price`: the parts of a fund as of now; the answer carries no date, so the day is noted."""
    for cell in cells:
        attempt = collection.attempt([cell])
        ask(
            attempt,
            collection,
            FUND_PARTS,
            {
                "FID_COND_MRKT_DIV_CODE": "J",
                "FID_INPUT_ISCD": cell.scope,
                "FID_COND_SCR_DIV_CODE": "11216",
            },
            noted={"base_date": yyyymmdd(cell.day)},
        )
        yield attempt.outcome()


def collect_stock_info(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`search-stock-info`: what the vendor knows of one stock now."""
    for cell in cells:
        attempt = collection.attempt([cell])
        ask(
            attempt,
            collection,
            STOCK_INFO,
            {"PRDT_TYPE_CD": "300", "PDNO": code_for_vendor(collection, cell)},
            noted={"base_date": yyyymmdd(cell.day)},
        )
        yield attempt.outcome()
