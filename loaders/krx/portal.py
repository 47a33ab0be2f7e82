"""The exchange's data portal: what its screens tell, as feeds. `portal_site` asks, `portal_screens` lists the screens."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from loaders.collect import MAY_BE_NO_STOCK_CODE_OF_A_DAY, Attempt, Collection
from loaders.feeds import (
    FUNDS,
    FUNDS_SINCE,
    Answer,
    Cadence,
    Cell,
    Collected,
    Feed,
    Outcome,
    Service,
    Status,
)
from loaders.krx.index_site import COUNT_TOLERANCE, INDEXES, MAY_SHRINK_BY
from loaders.krx.isin import isin_of_common_stock
from loaders.krx.portal_screens import SCREENS, Days
from loaders.krx.portal_site import HOW_TO_GET, KrxPortalSettings, ask, check_status

MARKET_IDS = {"KOSPI": "STK", "KOSDAQ": "KSQ", "KONEX": "KNX", "ALL": "ALL"}
KONEX_SINCE = date(2013, 7, 1)
INVESTOR_CODES = (
    "1000", "2000", "3000", "3100", "4000", "5000", "6000", "7050", "7100", "8000", "9000", "9001", "9999",
)  # fmt: skip
"""invstTpCd of the eleven types, of institutions in total (7050) and of all (9999)."""
EVERY_TYPE_SINCE = date(2010, 1, 4)
"""From here on a type without any stock of a market is a gap; older days may know fewer types."""
DAYS_PER_REQUEST = 730
FIRST_DELISTING = date(1990, 1, 1)
FINAL_AT = time(20, 30)
"""The after-market ends at 20:00 and counts into the day's volume."""
SCREEN_SCOPE = r"(MDCSTAT[0-9]{5}|finder_[a-z]+)(\?.*)?"


def _yyyymmdd(day: date) -> str:
    return day.strftime("%Y%m%d")


def _markets(_collection: Collection, day: date) -> list[str]:
    return [
        name for name in MARKET_IDS if name != "ALL" and (name != "KONEX" or day >= KONEX_SINCE)
    ]


def _ranges(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """Cells of one scope after another, in ranges of two years at the most, which is the portal's limit."""
    for _, group in groupby(
        sorted(cells, key=lambda cell: (cell.scope, cell.day)), lambda cell: cell.scope
    ):
        span: list[Cell] = []
        for cell in group:
            if span and cell.day - span[0].day >= timedelta(days=DAYS_PER_REQUEST):
                yield span
                span = []
            span.append(cell)
        yield span


def _span(cells: Sequence[Cell]) -> dict[str, str]:
    return {"strtDd": _yyyymmdd(cells[0].day), "endDd": _yyyymmdd(cells[-1].day)}


def _not_there(
    collection: Collection, cells: Sequence[Cell], came: set[date]
) -> dict[Cell, Status]:
    """What to say of days that an answer lacks: today's may still come, an older one is not."""
    return {
        cell: Status.NOT_PUBLISHED if cell.day == collection.now.date() else Status.EMPTY
        for cell in cells
        if cell.day not in came
    }


def _trade_days(answer: Answer) -> set[date]:
    days = set()
    for text in answer.days("trd_dd"):
        with suppress(ValueError):  # no day: the rules downstream name the row
            days.add(datetime.strptime(text, "%Y%m%d").date())
    return days


def _fail_if_of_other_days(answer: Answer, asked: Sequence[Cell]) -> None:
    """Refuse an answer whose days cannot be read, or that holds a day beyond those asked for.

    Its rows would find no cell, and the days that were asked for would count as days without data, for good.
    """
    answer.fail_if_undated("trd_dd")
    first, last = asked[0].day, asked[-1].day
    strangers = [day for day in _trade_days(answer) if not first <= day <= last]
    if strangers and not answer.error:
        answer.error = f"{answer.endpoint}: asked for {first} to {last}, the answer holds {min(strangers)}; it is kept out"


def _tells_nothing(answer: Answer, column: str) -> bool:
    """Every value is a dash: the day is a holiday, or has no figures yet."""
    return all(value in ("-", "", None) for value in answer.column(column))


def _by_day(
    endpoint: str, told_by: str, **fixed: str
) -> Callable[[Collection, Sequence[Cell]], Iterator[Outcome]]:
    """A collector of a screen that tells one day of a market, or of all funds.

    `told_by` is a column that a day without figures leaves empty.
    """

    def collect(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
        for cell in cells:
            attempt = collection.attempt([cell])
            market = {"mktId": MARKET_IDS[cell.scope]} if cell.scope in MARKET_IDS else {}
            params = fixed | market | {"trdDd": _yyyymmdd(cell.day)}
            answer = ask(collection, attempt, endpoint, params)
            attempt.fail_if_codes_are_none("isu_srt_cd", may_be_none=MAY_BE_NO_STOCK_CODE_OF_A_DAY)
            statuses = {cell: Status.NOT_PUBLISHED} if _tells_nothing(answer, told_by) else {}
            yield attempt.outcome(when_empty=Status.NOT_PUBLISHED, statuses=statuses)

    return collect


def _collect_master(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """01901: every stock of a market as of now."""
    for cell in cells:
        attempt = collection.attempt([cell])
        ask(collection, attempt, "mdcstat01901", {"mktId": MARKET_IDS[cell.scope]})
        attempt.fail_if_codes_are_none("isu_srt_cd")
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _collect_codes(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """The two finders: short code and ISIN of everything listed, and of everything ever delisted."""
    for cell in cells:
        attempt = collection.attempt([cell])
        for finder in ("finder_stkisu", "finder_listdelisu"):
            ask(collection, attempt, finder, _finder())
            if attempt.is_stopped:
                break
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _finder(text: str = "") -> dict[str, str]:
    return {"mktsel": "ALL", "searchText": text, "typeNo": "0"}


def _collect_funds(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """04601: every ETF as of now."""
    for cell in cells:
        attempt = collection.attempt([cell])
        ask(collection, attempt, "mdcstat04601", {})
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _delisting_spans(until: date) -> Iterator[tuple[date, date]]:
    start = FIRST_DELISTING
    while start <= until:
        end = start + timedelta(days=DAYS_PER_REQUEST - 1)
        yield start, min(end, until)
        start = end + timedelta(days=1)


def _collect_delisted(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """23801: every delisting with its reason, two years a request."""
    for cell in cells:
        attempt = collection.attempt([cell])
        for start, end in _delisting_spans(cell.day):
            params = {
                "mktId": "ALL",
                "isuCd": "ALL",
                "isuCd2": "ALL",
                "strtDd": _yyyymmdd(start),
                "endDd": _yyyymmdd(end),
                "share": "1",
                "csvxls_isNo": "true",
            }
            ask(collection, attempt, "mdcstat23801", params)
            if attempt.is_stopped:
                break
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _isin(collection: Collection, attempt: Attempt, code: str, day: date) -> str | None:
    """ISIN behind a short code, which is what the portal's screens of one name want.

    From the lists that were collected, from the exchange's own rule where that is certain, else from the portal's finders,
    whose answers then belong to the attempt. None where nobody knows the code; the attempt then says so.
    """
    for listing in collection.listed(day):
        if listing.code == code and listing.isin:
            return listing.isin
    known = collection.connection.execute(
        "select full_code from raw.krx__finder_stkisu where short_code = %(code)s"
        " union all select full_code from raw.krx__finder_listdelisu where short_code = %(code)s limit 1",
        {"code": code},
    ).fetchone()
    if known:
        return str(known[0])
    by_rule = isin_of_common_stock(code)
    if by_rule:
        return by_rule
    for finder in ("finder_stkisu", "finder_listdelisu"):
        answer = ask(collection, attempt, finder, _finder(code))
        if answer.error:
            return None
        pairs = zip(answer.column("short_code"), answer.column("full_code"), strict=True)
        found = next((str(isin) for short_code, isin in pairs if short_code == code), None)
        if found:
            return found
    attempt.fail(
        "finder_stkisu", _finder(code), f"no finder of the data portal knows the code {code}"
    )
    return None


def _outcome_of_one(attempt: Attempt, isin: str | None, statuses: dict[Cell, Status]) -> Outcome:
    outcome = attempt.outcome(statuses=statuses)
    if isin is None:  # the finders answered, but nothing was asked of the name itself
        outcome.status = Status.FAILED
    return outcome


def _collect_history(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """01701: raw daily prices of one stock, two years a request."""
    for group in _ranges(cells):
        attempt = collection.attempt(group)
        code = group[0].scope
        isin = _isin(collection, attempt, code, group[-1].day)
        came: set[date] = set()
        if isin:
            params = {"isuCd": isin, **_span(group), "adjStkPrc": "1"}
            answer = ask(collection, attempt, "mdcstat01701", params, {"stock_code": code})
            _fail_if_of_other_days(answer, group)
            came = _trade_days(answer)
        yield _outcome_of_one(attempt, isin, _not_there(collection, group, came))


def _collect_investors(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """02303: eleven types of one stock by day; shares and won, sold and bought are a call each."""
    for group in _ranges(cells):
        attempt = collection.attempt(group)
        code = group[0].scope
        isin = _isin(collection, attempt, code, group[-1].day)
        days: list[set[date]] = []
        for measure, side in (("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")):
            if isin is None or attempt.is_stopped:
                break
            params = {
                "isuCd": isin,
                **_span(group),
                "inqTpCd": "2",
                "trdVolVal": measure,
                "askBid": side,
                "detailView": "1",
            }
            answer = ask(collection, attempt, "mdcstat02303", params, {"stock_code": code})
            _fail_if_of_other_days(answer, group)
            days.append(_trade_days(answer))
        # a day counts when all four calls tell it
        came = set.intersection(*days) if days else set()
        yield _outcome_of_one(attempt, isin, _not_there(collection, group, came))


def _collect_investors_of_market(
    collection: Collection, cells: Sequence[Cell]
) -> Iterator[Outcome]:
    """02401: every stock of a market and day, one call for each of thirteen types."""
    for cell in cells:
        attempt = collection.attempt([cell])
        for code in INVESTOR_CODES:
            params = {
                **_span([cell]),
                "mktId": MARKET_IDS[cell.scope],
                "invstTpCd": code,
            }
            ask(collection, attempt, "mdcstat02401", params)
            if attempt.is_stopped:
                break
        _fail_if_type_is_missing(attempt, cell)
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _fail_if_type_is_missing(attempt: Attempt, cell: Cell) -> None:
    """Refuse a day of which one type is missing while others came: read as nothing traded, it would spoil every stock's sums.

    Of KONEX it may be true: on many days no bank and no insurer trades there.
    """
    silent = [
        str(answer.request["invstTpCd"])
        for answer in attempt.answers
        if not answer.row_count and not answer.error
    ]
    is_judged = cell.scope != "KONEX" and cell.day >= EVERY_TYPE_SINCE
    if is_judged and silent and attempt.row_count:
        error = (
            f"data portal: no stock of {cell.scope} on {cell.day} for invstTpCd {', '.join(silent)}, while other types"
            " have some; run again later"
        )
        attempt.fail("mdcstat02401", attempt.answers[-1].request, error)


def _collect_members(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """00601: members of an index on a day; a list of another length than the index has is not believed."""
    for cell in cells:
        attempt = collection.attempt([cell])
        index = INDEXES[cell.scope]
        params = {
            "indIdx": index.market_code,
            "indIdx2": index.code,
            "trdDd": _yyyymmdd(cell.day),
        }
        count = ask(collection, attempt, "mdcstat00601", params).row_count
        is_far = abs(count - index.member_count) > COUNT_TOLERANCE * index.member_count
        # the sample market has fewer members: there, only what the list was before tells
        if count and is_far and not collection.warehouse.is_sample:
            error = f"data portal: {count} members for {cell.scope}, which has {index.member_count}: half a list"
            attempt.fail("mdcstat00601", params, error)
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _indexes(_collection: Collection, day: date) -> list[str]:
    return [name for name, index in INDEXES.items() if day >= index.since]


def _listed_funds(collection: Collection, day: date) -> list[str]:
    return [entry.code for entry in collection.listed(day) if entry.kind == "ETF"]


def _collect_portfolios(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """05001: the creation basket of one ETF on a day."""
    for cell in cells:
        attempt = collection.attempt([cell])
        isin = _isin(collection, attempt, cell.scope, cell.day)
        rows = 0
        if isin:
            params = {"trdDd": _yyyymmdd(cell.day), "isuCd": isin}
            noted = {"stock_code": cell.scope}
            rows = ask(collection, attempt, "mdcstat05001", params, noted).row_count
        missing = {} if rows else _not_there(collection, [cell], came=set())
        yield _outcome_of_one(attempt, isin, missing)


def _named_screen(scope: str) -> tuple[str, dict[str, str]]:
    name, _, params = scope.partition("?")
    return name.lower(), dict(parse_qsl(params, keep_blank_values=True))


def _collect_screen(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """One screen with parameters of the user's own; days come from the range unless they are among them."""
    for group in _ranges(cells):
        endpoint, params = _named_screen(group[0].scope)
        screen = SCREENS.get(endpoint)
        if screen is None:
            names = ", ".join(name.upper() if name[0] == "m" else name for name in SCREENS)
            yield collection.failure(
                endpoint, params, group, f"there is no screen {endpoint}; choose one of {names}"
            )
            continue
        params = {name: value for name, value in params.items() if name != "bld"}
        if screen.days is Days.DAY and "trdDd" not in params:
            for cell in group:
                yield _one_screen(
                    collection, [cell], endpoint, params | {"trdDd": _yyyymmdd(cell.day)}
                )
            continue
        span = _span(group) if screen.days is Days.SPAN else {}
        yield _one_screen(collection, group, endpoint, span | params)


def _one_screen(
    collection: Collection, cells: Sequence[Cell], endpoint: str, params: Mapping[str, str]
) -> Outcome:
    attempt = collection.attempt(cells)
    ask(collection, attempt, endpoint, params)
    return attempt.outcome()


def _weekly_list(name: str, dataset: str, collect: Any, **options: Any) -> Feed:
    """A list of the present state, one look a week."""
    return Feed(
        name=name,
        datasets=(dataset,),
        collect=collect,
        cadence=Cadence.WEEKLY,
        latest_only=True,
        may_shrink_by=0.2,
        published_at=time(8, 0),
        **options,
    )


SERVICE = Service(
    name="portal",
    title="정보데이터시스템 (data portal)",
    settings=KrxPortalSettings,
    how_to_get=HOW_TO_GET,
    is_crawled=True,
    check_status=check_status,
    feeds=(
        _weekly_list(
            "portal_codes", "security_codes", _collect_codes, collected=Collected.SOURCE_NAMED
        ),
        _weekly_list("portal_funds", "etf_list", _collect_funds, collected=Collected.SOURCE_NAMED),
        Feed(
            name="portal_stocks",
            datasets=("stocks",),
            collect=_collect_master,
            latest_only=True,
            may_shrink_by=0.2,
            published_at=time(8, 0),
            scopes=_markets,
            collected=Collected.SOURCE_NAMED,
        ),
        _weekly_list(
            "portal_delisted",
            "delisted_stocks",
            _collect_delisted,
            list_part="strtDd",
            request_count=lambda cells: sum(
                len(list(_delisting_spans(cell.day))) for cell in cells
            ),
        ),
        Feed(
            name="portal_daily",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=_by_day("mdcstat01501", "tdd_clsprc"),
            published_at=FINAL_AT,
            scopes=_markets,
            scope_pattern="ALL",
            collected=Collected.SOURCE_NAMED,
        ),
        Feed(
            name="portal_funds_daily",
            datasets=("ohlcv_daily", "market_cap_daily", "etf_daily"),
            collect=_by_day("mdcstat04301", "tdd_clsprc"),
            published_at=FINAL_AT,
            scope_pattern=FUNDS,
            since=FUNDS_SINCE,
            collected=Collected.SCOPE_NAMED,
        ),
        Feed(
            name="portal_history",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=_collect_history,
            published_at=FINAL_AT,
            takes_stock_codes=True,
            collected=Collected.SCOPE_NAMED,
            request_count=lambda cells: len(list(_ranges(cells))),
        ),
        Feed(
            name="portal_index_members",
            datasets=("index_components",),
            collect=_collect_members,
            may_shrink_by=MAY_SHRINK_BY,
            published_at=FINAL_AT,
            scopes=_indexes,
            collected=Collected.SOURCE_NAMED,
        ),
        Feed(
            name="portal_industries",
            datasets=("sectors",),
            collect=_by_day("mdcstat03901", "idx_ind_nm"),
            cadence=Cadence.WEEKLY,
            published_at=FINAL_AT,
            scopes=lambda _collection, _day: ("KOSPI", "KOSDAQ"),
            collected=Collected.SOURCE_NAMED,
        ),
        Feed(
            name="portal_investors",
            datasets=("investor_trading",),
            collect=_collect_investors,
            published_at=FINAL_AT,
            takes_stock_codes=True,
            collected=Collected.SCOPE_NAMED,
            request_count=lambda cells: 4 * len(list(_ranges(cells))),
        ),
        Feed(
            name="portal_market_investors",
            datasets=("investor_trading",),
            collect=_collect_investors_of_market,
            published_at=FINAL_AT,
            scopes=_markets,
            window_sessions=5,
            collected=Collected.SOURCE_NAMED,
            request_count=lambda cells: len(INVESTOR_CODES) * len(cells),
        ),
        Feed(
            name="portal_foreign",
            datasets=("foreign_ownership_daily",),
            collect=_by_day("mdcstat03701", "forn_hd_qty", searchType="1", isuLmtRto="0"),
            published_at=FINAL_AT,
            scopes=_markets,
            collected=Collected.SOURCE_NAMED,
        ),
        Feed(
            name="portal_etf_portfolios",
            datasets=("etf_portfolios",),
            collect=_collect_portfolios,
            cadence=Cadence.WEEKLY,
            published_at=FINAL_AT,
            scopes=_listed_funds,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
        ),
        Feed(
            name="portal_screen",
            datasets=("portal_screens",),
            collect=_collect_screen,
            published_at=FINAL_AT,
            scope_pattern=SCREEN_SCOPE,
            collected=Collected.SCOPE_NAMED,
            request_count=lambda cells: len(list(_ranges(cells))),
        ),
    ),
)
