"""Daily bars, minute bars and flows of one stock after another."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import groupby

from loaders import calendar, ledger
from loaders.collect import Attempt, Collection
from loaders.feeds import Answer, Cell, Outcome, Status, is_day
from loaders.kis.client import (
    FIRST_REPEAT,
    Page,
    Request,
    ask,
    settings_of,
    warn_repeated,
)

QUOTATIONS = "domestic-stock/v1/quotations"
DAILY = Request(
    "inquire-daily-itemchartprice",
    f"{QUOTATIONS}/inquire-daily-itemchartprice",
    "FHKST03010100",
    "output2",
    "output1",
)
DAILY_ADJUSTED = Request(
    "inquire-daily-itemchartprice/adjusted",
    f"{QUOTATIONS}/inquire-daily-itemchartprice",
    "FHKST03010100",
    "output2",
)
MINUTES = Request(
    "inquire-time-dailychartprice",
    f"{QUOTATIONS}/inquire-time-dailychartprice",
    "FHKST03010230",
    "output2",
    "output1",
)
INVESTORS = Request(
    "investor-trade-by-stock-daily",
    f"{QUOTATIONS}/investor-trade-by-stock-daily",
    "FHPTJ04160001",
    "output2",
    "output1",
)

EXCHANGE = "J"
"""Venue of daily bars and flows: the marts of both know no other one, and would take Nextrade's for the exchange's."""

DAYS_PER_REQUEST = 100
"""Rows after which the vendor cuts daily bars; there is no next page."""

INVESTOR_DAYS_PER_REQUEST = 30
INVESTOR_DAYS_PER_ATTEMPT = 60

MINUTE_PAGES = 5
"""Of a liquid stock: 381 regular minutes and as many of the after-market as had trades, 120 a page."""
MOST_MINUTE_PAGES = 60
"""Far above what a day can fill; a vendor that answers on and on is stopped here."""

AFTER_MARKET_SINCE = date(2026, 9, 14)
"""Since then the exchange trades again from 16:00 to 20:00."""
LAST_HOUR = "200000"
FIRST_HOUR_BESIDE_THE_EXCHANGE = "0800"
LONGEST_CLOSING_AUCTION = timedelta(minutes=3)
"""After the close: a volatility interruption (VI) prolongs the auction by two minutes, and thirty seconds at random."""


@cache
def yyyymmdd(day: date) -> str:
    """A day as the vendor writes it."""
    return day.strftime("%Y%m%d")


def listed_codes(collection: Collection, day: date) -> list[str]:
    """Codes of the stocks listed on a day by the lists of every source."""
    return [entry.code for entry in collection.listed(day) if entry.kind == "STOCK"]


def code_for_vendor(collection: Collection, cell: Cell) -> str:
    """The code of a cell as this vendor takes it: with a Q before a note's (ETN), which without one it does not know."""
    notes: frozenset[str] = collection.once(
        f"notes {cell.day}",
        lambda: frozenset(one.code for one in collection.listed(cell.day) if one.kind == "ETN"),
    )
    return f"Q{cell.scope}" if cell.scope in notes else cell.scope


def request_per_days(days: int, cells: Sequence[Cell]) -> int:
    """Requests that some cells take where one brings so many days of a stock."""
    scopes = [cell.scope for cell in cells]
    return sum(-(-scopes.count(scope) // days) for scope in set(scopes))


def _groups(cells: Sequence[Cell], most_sessions: int) -> Iterator[list[Cell]]:
    """Cells of one stock after another, in ranges of at most so many sessions, gaps counted."""
    by_stock = sorted(cells, key=lambda cell: (cell.scope, cell.day))
    for _, of_stock in groupby(by_stock, key=lambda cell: cell.scope):
        group: list[Cell] = []
        for cell in of_stock:
            if group and len(calendar.sessions(group[0].day, cell.day)) > most_sessions:
                yield group
                group = []
            group.append(cell)
        yield group


def _statuses_of_missing(
    collection: Collection,
    group: Sequence[Cell],
    came: set[str],
    *,
    is_closed: bool,
    is_untraded: bool = False,
) -> dict[Cell, Status]:
    """Days that an answer lacks: today's may still come unless the vendor says that nothing was traded.

    All of them may where the vendor does not serve at this hour.
    """
    return {
        cell: Status.NOT_PUBLISHED
        if is_closed or (cell.day == collection.now.date() and not is_untraded)
        else Status.EMPTY
        for cell in group
        if yyyymmdd(cell.day) not in came
    }


# --- daily bars ------------------------------------------------------------------------------------------------------


def collect_daily(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`inquire-daily-itemchartprice`, raw prices: one stock over a range of at most 100 sessions."""
    return _collect_daily(collection, cells, DAILY, "1")


def collect_daily_adjusted(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """The same with prices adjusted as the vendor does it."""
    return _collect_daily(collection, cells, DAILY_ADJUSTED, "0")


def _collect_daily(
    collection: Collection, cells: Sequence[Cell], request: Request, raw: str
) -> Iterator[Outcome]:
    for group in _groups(cells, DAYS_PER_REQUEST):
        attempt = collection.attempt(group)
        page = ask(
            attempt,
            collection,
            request,
            {
                "FID_COND_MRKT_DIV_CODE": EXCHANGE,
                "FID_INPUT_ISCD": code_for_vendor(collection, group[-1]),
                "FID_INPUT_DATE_1": yyyymmdd(group[0].day),
                "FID_INPUT_DATE_2": yyyymmdd(group[-1].day),
                "FID_PERIOD_DIV_CODE": "D",
                "FID_ORG_ADJ_PRC": raw,
            },
        )
        page.answer.fail_if_undated("stck_bsop_date")
        page.answer.fail_if_later("stck_bsop_date", group[-1].day)
        came = set(page.answer.days("stck_bsop_date"))
        yield attempt.outcome(
            statuses=_statuses_of_missing(collection, group, came, is_closed=page.is_closed)
        )


# --- minute bars -----------------------------------------------------------------------------------------------------


def collect_minutes(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`inquire-time-dailychartprice`: the minutes of one stock and day, newest first, page before page."""
    for cell in cells:
        attempt = collection.attempt([cell])
        has_bars, is_closed = _ask_minutes(attempt, collection, cell)
        came = {yyyymmdd(cell.day)} if has_bars else set()
        yield attempt.outcome(
            statuses=_statuses_of_missing(
                collection, [cell], came, is_closed=is_closed, is_untraded=_is_untraded(attempt)
            )
        )


def poll_minutes(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """The minutes of a session that goes on, from now back to where the look before ended.

    The last of them still grows: `told_until` says which ones are over.
    """
    today = cells[0].day
    looks = collection.once("told_until", lambda: _told_until(collection, today))
    for cell in cells:
        since: datetime | None = looks.get(cell.scope)
        told_until = collection.told_until()
        attempt = collection.attempt([cell])
        has_bars, _ = _ask_minutes(attempt, collection, cell, since)
        yield attempt.outcome(
            statuses={} if has_bars else {cell: Status.NOT_PUBLISHED},
            when_empty=Status.NOT_PUBLISHED,
            told_until=told_until,
        )


def _told_until(collection: Collection, day: date) -> dict[str, datetime]:
    return ledger.told_until(collection.connection, collection.source.name, "ohlcv_minute", day)


def _is_untraded(attempt: Attempt) -> bool:
    """Whether the record beside the bars, which tells of now, counts no share traded today; an empty text counts nothing."""
    totals = [
        total
        for answer in attempt.answers
        for name in answer.tables
        if name != answer.endpoint
        for total in answer.column("acml_vol", name)
    ]
    return bool(totals) and all(total and set(total) == {"0"} for total in totals)


@cache
def _last_hour(day: date, division: str) -> str:
    if division != "J" or day >= AFTER_MARKET_SINCE:
        return LAST_HOUR
    # the closing auction's label may lie some seconds after the minute
    return (calendar.session_close(day) + LONGEST_CLOSING_AUCTION).strftime("%H%M59")


@cache
def _first_hour(day: date, division: str) -> str:
    """The minute before which no bar lies: there is no need to ask on."""
    if division == "J":
        return calendar.session_open(day).strftime("%H%M")
    return FIRST_HOUR_BESIDE_THE_EXCHANGE if division in ("NX", "UN") else "0000"


def _ask_minutes(
    attempt: Attempt, collection: Collection, cell: Cell, since: datetime | None = None
) -> tuple[bool, bool]:
    """Ask backwards from the end of trading until nothing earlier comes, or nothing that is later than `since`.

    Returns:
        Whether there is a bar of the day, and whether the vendor does not serve bars at this time of the day.
    """
    division = settings_of(collection).market_division
    hour = _last_hour(cell.day, division)
    enough = _first_hour(cell.day, division)
    if since is not None:
        # the minute before, so that what came before and what comes now touch
        enough = max(
            enough, (since.astimezone(calendar.KST) - timedelta(minutes=1)).strftime("%H%M")
        )
    earliest: str | None = None
    newest_page: str | None = None
    page_before: Answer | None = None
    was_asked_again = False
    for number in range(1, MOST_MINUTE_PAGES + 1):
        params = {
            "FID_COND_MRKT_DIV_CODE": division,
            "FID_INPUT_ISCD": code_for_vendor(collection, cell),
            "FID_INPUT_HOUR_1": hour,
            "FID_INPUT_DATE_1": yyyymmdd(cell.day),
            "FID_PW_DATA_INCU_YN": "N",
            "FID_FAKE_TICK_INCU_YN": "",
        }
        page = ask(attempt, collection, MINUTES, params, page=number)
        labels = _labels(page.answer, cell.day)
        if page.answer.error or page.is_closed:
            return earliest is not None, page.is_closed
        first = min(labels, default=None)
        if first is None and yyyymmdd(cell.day) in page.answer.days("stck_bsop_date"):
            shown = page.answer.column("stck_cntg_hour")[0]
            message = f"no label of the page before {hour} is a time HHMMSS; one is {shown!r}"
            attempt.fail(MINUTES.endpoint, params, message)
            break
        if (
            page_before
            and not page.answer.row_count
            and not was_asked_again
            and not _opens_the_day(page_before, cell.day, earliest or "")
        ):
            # bars before the earliest one have been traded, or off-hours trades: an empty page is believed the second time
            was_asked_again = True
            continue
        if first is None or (earliest is not None and first >= earliest):
            if number == FIRST_REPEAT and page.answer.payload_sha256 == newest_page:
                warn_repeated(MINUTES.endpoint, params)
            elif first is not None and not _opens_the_day(page.answer, cell.day, first):
                message = (
                    f"the page before {hour} is one that came before; earlier bars are missing"
                )
                attempt.fail(MINUTES.endpoint, params, message)
            elif (
                page_before
                and page.answer.row_count
                and not labels
                and not _ends_with_earlier_days(page_before, cell.day)
                and not _opens_the_day(page_before, cell.day, earliest or "")
                and not _is_later_in_the_day(page.answer, hour)
            ):
                # bars of the day before stand where the day has begun, and nowhere else: there they come from its end
                message = f"the page before {hour} is of another day; earlier bars are missing"
                attempt.fail(MINUTES.endpoint, params, message)
            break
        earliest, page_before, was_asked_again = first, page.answer, False
        newest_page = newest_page or page.answer.payload_sha256
        # bars of the day before follow where the day is at its end; one that is misplaced is told from them by the running
        # total, and where off-hours trades are in that too, by a page more
        if first[:4] <= enough or (
            _ends_with_earlier_days(page.answer, cell.day)
            and _opens_the_day(page.answer, cell.day, first)
        ):
            break
        hour = _hour_before(first)
    else:
        attempt.fail(MINUTES.endpoint, params, f"no end after {MOST_MINUTE_PAGES} pages")
    return earliest is not None, False


def _labels(answer: Answer, day: date) -> list[str]:
    """Labels of the bars of a day; an answer fails in which no bar tells its day, or all tell later ones."""
    wanted = yyyymmdd(day)
    labels = [
        label
        for bar_day, label in zip(
            answer.days("stck_bsop_date"), answer.column("stck_cntg_hour"), strict=True
        )
        if bar_day == wanted and label and _is_time(label)
    ]
    if not labels:
        answer.fail_if_undated("stck_bsop_date")
        answer.fail_if_later("stck_bsop_date", day)
    return labels


@cache
def _is_time(label: str) -> bool:
    is_clock = len(label) == 6 and label.isascii() and label.isdigit()
    return is_clock and label[:2] < "24" and label[2:4] < "60" and label[4:] < "60"


def _is_later_in_the_day(answer: Answer, hour: str) -> bool:
    """Whether a page holds labels after the hour up to which it was asked for: those can be of an earlier day alone."""
    return any(
        label and _is_time(label) and label > hour for label in answer.column("stck_cntg_hour")
    )


def _ends_with_earlier_days(answer: Answer, day: date) -> bool:
    """Whether a page, newest first, goes on into the days before: those follow the day's own bars, and nothing else does."""
    wanted = yyyymmdd(day)
    days = [bar_day or "" for bar_day in answer.days("stck_bsop_date")]
    own = days.count(wanted)
    own_first = days[:own] == [wanted] * own
    return own_first and own < len(days) and all("" < other < wanted for other in days[own:])


def _hour_before(label: str) -> str:
    """Where the next page ends: a minute earlier, or a second where labels do not lie on the minute.

    Labels of the first session of a year were seen to end in 11 seconds.
    """
    step = timedelta(minutes=1) if label.endswith("00") else timedelta(seconds=1)
    earlier = datetime.combine(date(2000, 1, 2), time.fromisoformat(label)) - step
    return earlier.strftime("%H%M%S") if earlier.day == 2 else "000000"


def _opens_the_day(answer: Answer, day: date, label: str) -> bool:
    """Whether a bar is the day's first: its running total holds no more than its own trades.

    Told apart so: a vendor that repeats its last page at the end, and one that does not go on to the earlier bars.
    """
    columns = ("stck_cntg_hour", "acml_tr_pbmn", "cntg_vol", "stck_hgpr")
    for bar_day, bar_label, total, volume, high in zip(
        answer.days("stck_bsop_date"), *(answer.column(name) for name in columns), strict=True
    ):
        if bar_day == yyyymmdd(day) and bar_label == label:
            try:
                return int(total) <= 1.01 * int(volume) * int(high)
            except (TypeError, ValueError):
                return True  # no running total to tell by
    return True


# --- flows -----------------------------------------------------------------------------------------------------------


def collect_investors(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`investor-trade-by-stock-daily`: a stock's days up to a date, 30 a page; the next page ends a day earlier."""
    for group in _groups(cells, INVESTOR_DAYS_PER_ATTEMPT):
        attempt = collection.attempt(group)
        came, is_closed = _ask_investors(attempt, collection, group)
        yield attempt.outcome(
            statuses=_statuses_of_missing(collection, group, came, is_closed=is_closed)
        )


def _ask_investors(
    attempt: Attempt, collection: Collection, group: Sequence[Cell]
) -> tuple[set[str], bool]:
    """Days that came, and whether the vendor serves flows at this time of the day."""
    settings = settings_of(collection)
    came: set[str] = set()
    first_day, last_day = yyyymmdd(group[0].day), yyyymmdd(group[-1].day)
    end = last_day
    most = INVESTOR_DAYS_PER_ATTEMPT // 10
    for number in range(1, most + 1):
        params = {
            "FID_COND_MRKT_DIV_CODE": EXCHANGE,
            "FID_INPUT_ISCD": code_for_vendor(collection, group[-1]),
            "FID_INPUT_DATE_1": end,
            "FID_ORG_ADJ_PRC": "",
            "FID_ETC_CLS_CODE": settings.investor_etc_class,
        }
        page: Page = ask(attempt, collection, INVESTORS, params, page=number)
        page.answer.fail_if_undated("stck_bsop_date")
        page.answer.fail_if_later("stck_bsop_date", group[-1].day)
        told = set(page.answer.days("stck_bsop_date"))
        days = {day for day in told if is_day(day) and day <= last_day}
        if page.is_closed or page.answer.error or not days or max(days) < first_day:
            return came, page.is_closed
        if not days - came and number == FIRST_REPEAT:
            warn_repeated(INVESTORS.endpoint, params)
            return came, True  # the days before the page are not settled: they are asked for again
        if not days - came:
            attempt.fail(
                INVESTORS.endpoint, params, f"the page up to {end} is one that came before"
            )
            return came, False
        came |= days
        oldest = _came_down_to(days, first_day)
        if oldest <= first_day:
            return came, False
        end = yyyymmdd(datetime.strptime(oldest, "%Y%m%d") - timedelta(days=1))
    attempt.fail(INVESTORS.endpoint, params, f"no end after {most} pages")
    return came, False


def _came_down_to(days: set[str], first_day: str) -> str:
    """The day that a page of days has come down to: a single one before those wanted, without their first, may be misdated."""
    oldest, *others = sorted(days)
    return others[0] if others and oldest < first_day < others[0] else oldest
