"""Kiwoom's REST API: POST of JSON, named by the header `api-id`, paged by the headers `cont-yn` and `next-key`."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, time
from operator import itemgetter
from typing import Any

import requests
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from loaders import calendar
from loaders.collect import Attempt, Collection, Question
from loaders.config import Concurrency, SourceSettings
from loaders.errors import (
    AnswerRejectedError,
    RequestFailedError,
    SourceStoppedError,
    TokenRefusedError,
)
from loaders.feeds import (
    Answer,
    Cadence,
    Cell,
    Collected,
    Feed,
    Outcome,
    Service,
    Status,
    cell_by_cell,
    is_day,
    refuse_other_stock,
    scope_by_scope,
)
from loaders.payload import parse_object, says_something
from loaders.tokens import Token, TokenStore

HOW_TO_GET = "set KIWOOM_APP_KEY and KIWOOM_SECRET_KEY: apply at openapi.kiwoom.com and register this machine's address"

STOCK_LIST = "ka10099"
BASICS = "ka10001"
DAILY_CHART = "ka10081"
MINUTE_CHART = "ka10080"
INVESTORS = "ka10059"

PATHS = {
    STOCK_LIST: "api/dostk/stkinfo",
    BASICS: "api/dostk/stkinfo",
    DAILY_CHART: "api/dostk/chart",
    MINUTE_CHART: "api/dostk/chart",
    INVESTORS: "api/dostk/stkinfo",
}
LISTS = {
    STOCK_LIST: "list",
    DAILY_CHART: "stk_dt_pole_chart_qry",
    MINUTE_CHART: "stk_min_pole_chart_qry",
    INVESTORS: "stk_invsr_orgn",
}
"""Name of the list of records in an answer; `BASICS` is one flat record."""

MARKETS = {"KOSPI": "0", "KOSDAQ": "10", "KONEX": "50", "ETF": "8"}
"""Scope to `mrkt_tp`."""

LISTED_CODE = re.compile(r"[A-Z]?[0-9][0-9A-Z]{5}")
"""Older programs of the vendor put a letter before a code: A before a stock's, Q before a note's."""

MAX_PAGES = 200
"""More than any walk needs: thirty years of days are 13 pages, 200 days of minutes about 85."""

OK, TOKEN_REFUSED, TOO_MANY_REQUESTS = "0", "3", "5"
"""`return_code` of an answer."""

TOKEN_INTERVAL_SECONDS = 1.0

FINAL_AT = time(20, 30)
"""The after-market ends at 20:00, and until then the volume of a day grows."""

log = structlog.get_logger()


class KiwoomSettings(SourceSettings):
    """`KIWOOM_APP_KEY`, `KIWOOM_SECRET_KEY`, `KIWOOM_BASE_URL`, `KIWOOM_REQUESTS_PER_MINUTE` (about one a second and TR)."""

    model_config = SettingsConfigDict(env_prefix="KIWOOM_")

    app_key: SecretStr | None = Field(default=None, json_schema_extra={"secret": True})
    secret_key: SecretStr | None = Field(default=None, json_schema_extra={"secret": True})
    base_url: str = "https://api.kiwoom.com"
    requests_per_minute: float = 60
    concurrency: Concurrency = 2


def _settings(collection: Collection) -> KiwoomSettings:
    settings = collection.settings
    assert isinstance(settings, KiwoomSettings) and settings.app_key and settings.secret_key
    return settings


def _issue(collection: Collection) -> Token:
    """Ask for a token (au10001).

    Raises:
        SourceStoppedError: the keys are refused, or the answer is no token.
    """
    settings = _settings(collection)
    assert settings.app_key and settings.secret_key
    try:
        response = collection.send(
            "POST",
            "oauth2/token",
            json={
                "grant_type": "client_credentials",
                "appkey": settings.app_key.get_secret_value(),
                "secretkey": settings.secret_key.get_secret_value(),
            },
            headers={"api-id": "au10001"},
        )
    except RequestFailedError as error:
        raise SourceStoppedError(f"no token: {error}") from None
    answer = parse_object(response.content)
    try:
        expires_at = datetime.strptime(str(answer.get("expires_dt")), "%Y%m%d%H%M%S").replace(
            tzinfo=calendar.KST
        )
        return Token(str(answer["token"]), expires_at)
    except (ValueError, KeyError):
        raise SourceStoppedError(_why_no_token(response, answer, settings)) from None


def _why_no_token(
    response: requests.Response, answer: Mapping[str, Any], settings: KiwoomSettings
) -> str:
    """What the vendor says of it: wrong keys, the other host's, an address that is not registered, or nothing at all."""
    status = f"HTTP {response.status_code}"
    if not answer:
        return (
            f"{status}: no token but {response.text.strip()[:60]!r}; the vendor may be under maintenance: run again later,"
            " and check KIWOOM_BASE_URL where it lasts"
        )
    said = f"return_code {answer.get('return_code', 'missing')} {answer.get('return_msg', '')}"
    for secret in (settings.app_key, settings.secret_key):
        said = said.replace(secret.get_secret_value(), "***") if secret else said
    return f"{status}: no token for these keys ({said.strip()[:200]}); {HOW_TO_GET}"


def _token(collection: Collection, *, refused: str | None = None) -> str:
    """The token of this run; `refused` is one that the vendor has just turned down."""
    settings = _settings(collection)
    assert settings.app_key
    account = settings.app_key.get_secret_value()
    store: TokenStore = collection.once(
        "token store",
        lambda: TokenStore(
            settings.base_url, account, lambda: _issue(collection), TOKEN_INTERVAL_SECONDS
        ),
    )
    return store.get(refused=refused)


def _records(parsed: Any, api_id: str) -> Sequence[Any]:
    """Records of an answer whose return code is good."""
    code, message = str(parsed.get("return_code", "")), parsed.get("return_msg", "")
    if code == TOO_MANY_REQUESTS:
        raise SourceStoppedError(
            f"too many requests again and again ({message}); lower KIWOOM_REQUESTS_PER_MINUTE and run again"
        )
    if code != OK:
        raise AnswerRejectedError(f"kiwoom {api_id}: return_code {code or 'missing'} {message}")
    if api_id not in LISTS:
        record = {
            name: value
            for name, value in parsed.items()
            if name not in ("return_code", "return_msg")
        }
        return [record] if says_something(record) else []
    records = parsed.get(LISTS[api_id])
    if not isinstance(records, list):
        raise AnswerRejectedError(f"kiwoom {api_id}: the answer has no list {LISTS[api_id]}")
    return [record for record in records if says_something(record)]


def _is_busy(response: requests.Response) -> bool:
    if len(response.content) > 500 or b"return_code" not in response.content:
        return False
    return str(parse_object(response.content).get("return_code")) == TOO_MANY_REQUESTS


def _check_status(status: int, body: bytes) -> None:
    if status in (401, 403) and str(parse_object(body).get("return_code")) == TOKEN_REFUSED:
        raise TokenRefusedError(f"HTTP {status}: the token is refused")
    if status in (401, 403):
        raise SourceStoppedError(f"HTTP {status}: access is refused; {HOW_TO_GET}")
    if status == 429:
        raise SourceStoppedError(
            "HTTP 429 again and again: lower KIWOOM_REQUESTS_PER_MINUTE and run again"
        )


def _ask(
    attempt: Attempt,
    collection: Collection,
    api_id: str,
    body: Mapping[str, str],
    next_key: str | None = None,
) -> Answer:
    """Ask with the token at hand, and once more with a new one where it was refused."""
    was_refused = False  # by what was read last

    def read(parsed: Any) -> Sequence[Any]:
        nonlocal was_refused
        if not isinstance(parsed, dict):
            raise AnswerRejectedError(f"kiwoom {api_id}: the answer is not an object")
        was_refused = str(parsed.get("return_code", "")) == TOKEN_REFUSED
        if was_refused:
            return []
        records = _records(parsed, api_id)
        refuse_other_stock(f"kiwoom {api_id}", body.get("stk_cd"), parsed.get("stk_cd"))
        return records

    refused: str | None = None
    answer: Answer | None = None
    for _ in range(2):
        was_refused = False  # an answer that cannot be read refuses nothing
        try:
            token = _token(collection, refused=refused)
        except SourceStoppedError as error:
            collection.stop(error)
            answer = collection.new_answer(api_id, body)
            answer.error = str(error)
            return attempt.add(answer)
        question = Question(
            endpoint=api_id,
            path=PATHS[api_id],
            params=body,
            headers={
                "authorization": f"Bearer {token}",
                "api-id": api_id,
                "cont-yn": "Y" if next_key else "N",
                "next-key": next_key or "",
            },
            read_records=read,
            sent_as="json",
            noted={"next-key": next_key} if next_key else {},
        )
        try:
            answer = collection.ask(question, attempt.cells)
        except TokenRefusedError:
            answer, was_refused = collection.new_answer(api_id, body), True
        if not was_refused:
            return attempt.add(answer)
        refused = token
    assert answer is not None
    refusal = SourceStoppedError(f"a new token is refused too; {HOW_TO_GET}")
    collection.stop(refusal)
    answer.error = str(refusal)
    return attempt.add(answer)


def _pages(
    attempt: Attempt, collection: Collection, api_id: str, body: Mapping[str, str]
) -> Iterator[Answer]:
    """Pages of an answer, until the vendor has no more or the caller has enough.

    A page that comes again after others, one that names no successor although it promises one, and a walk without an end
    are errors. Where the very second page is the first one again, the vendor has no other: it is kept, with a warning.
    An empty page that was promised and is to be the last is asked for once more.
    """
    next_key: str | None = None
    seen_keys: set[str] = set()
    seen_pages: set[str | None] = set()
    for number in range(MAX_PAGES):
        answer = _ask(attempt, collection, api_id, body, next_key)
        if next_key and not (answer.error or answer.row_count or _promises_more(answer)):
            answer = _ask(attempt, collection, api_id, body, next_key)
        if answer.error:
            return
        if answer.row_count and answer.payload_sha256 in seen_pages:
            if number == 1:
                log.warning(
                    "the second page is the first one again; it is taken as all there is",
                    source="kiwoom",
                    endpoint=api_id,
                    asked=dict(body),
                )
                return
            attempt.fail(api_id, answer.request, f"kiwoom {api_id}: the same page came twice")
            return
        seen_pages.add(answer.payload_sha256)
        yield answer
        if not _promises_more(answer):
            return
        next_key = answer.headers.get("next-key", "").strip()
        if not next_key or next_key in seen_keys:
            attempt.fail(
                api_id,
                answer.request,
                f"kiwoom {api_id}: more pages are promised, but the key of the next one is"
                f" {'missing' if not next_key else 'an earlier one'}",
            )
            return
        seen_keys.add(next_key)
    attempt.fail(api_id, body, f"kiwoom {api_id}: no end after {MAX_PAGES} pages")


def _promises_more(answer: Answer) -> bool:
    return answer.headers.get("cont-yn", "N").strip().upper() == "Y"


def _says_whether_more(answer: Answer) -> bool:
    """Whether the header that tells of a next page came at all: something on the way may have lost it."""
    return answer.headers.get("cont-yn", "").strip().upper() in ("Y", "N")


def _yyyymmdd(day: date) -> str:
    return day.strftime("%Y%m%d")


def _ask_list(
    attempt: Attempt, collection: Collection, api_id: str, body: Mapping[str, str]
) -> None:
    """A list with all its pages."""
    for _ in _pages(attempt, collection, api_id, body):
        pass


@dataclass
class _Walk:
    """What a walk over pages, newest first, has come to.

    Attributes:
        days: that came, as YYYYMMDD.
        oldest: the day that it has come down to by the labels of its pages, whatever a single one of them says.
        is_cut: the pages before promised one more, and it was empty; or the last one does not say whether there is more.
        is_repeated: a page came twice.
        awaited: days, as YYYYMMDD, that other calls of the stock tell already.
    """

    days: set[str] = field(default_factory=set)
    oldest: str = "99999999"
    is_cut: bool = False
    is_repeated: bool = False
    awaited: set[str] = field(default_factory=set)


def _walk_back(
    attempt: Attempt,
    collection: Collection,
    api_id: str,
    body: Mapping[str, str],
    time_field: str,
    first_day: date,
) -> _Walk:
    """Pages, newest first, until a day before `first_day` shows that this one is complete."""
    wanted = _yyyymmdd(first_day)
    walk = _Walk()
    answers_before = len(attempt.answers)
    for page in _pages(attempt, collection, api_id, body):
        page.fail_if_undated(time_field)
        if page.error:
            break
        # in the order of the page, and only what is a day: one label that is none ends no walk
        on_page = [label[:8] for label in page.days(time_field) if label and is_day(label[:8])]
        if on_page and min(on_page) > walk.oldest:
            attempt.fail(
                api_id, page.request, f"kiwoom {api_id}: a later page goes forward in time"
            )
            break
        walk.is_cut = bool(walk.days) and not page.row_count
        walk.is_cut = walk.is_cut or (bool(on_page) and not _says_whether_more(page))
        walk.days.update(on_page)
        # of the last two labels: one that is misplaced ends no walk, and one day before the wanted ones costs a page more
        walk.oldest = max(on_page[-2:], default=walk.oldest)
        # a day has one row of a daily list, and many minutes that may go on on the next page
        has_last_row = time_field == "dt" and wanted in (walk.oldest, *on_page[-1:])
        if walk.oldest < wanted or has_last_row:
            break
    # of this walk alone: the calls of a stock that nobody trades answer alike
    told = [answer for answer in attempt.answers[answers_before:] if answer.row_count]
    walk.is_repeated = len({answer.payload_sha256 for answer in told}) < len(told)
    return walk


def _outcome_by_day(
    attempt: Attempt,
    collection: Collection,
    group: Sequence[Cell],
    walk: _Walk,
    doubted: Set[str] = frozenset(),
    doubt: str | None = None,
) -> Outcome:
    """A day that the answers lack is EMPTY, or not yet published when it is today or awaited.

    Days before the oldest that came are asked for again where the vendor only repeated itself, or sent nothing where it had
    promised more, or did not say whether there is more. Those of `doubted`, YYYYMMDD, have failed, for the reason `doubt`.
    """
    oldest = walk.oldest if walk.days and (walk.is_cut or walk.is_repeated) else ""
    statuses = {
        cell: Status.NOT_PUBLISHED
        if cell.day == collection.now.date()
        or _yyyymmdd(cell.day) < oldest
        or _yyyymmdd(cell.day) in walk.awaited
        else Status.EMPTY
        for cell in group
        if _yyyymmdd(cell.day) not in walk.days
    }
    failed = [
        cell
        for cell in group
        if _yyyymmdd(cell.day) in doubted and statuses.get(cell) is not Status.NOT_PUBLISHED
    ]
    statuses |= dict.fromkeys(failed, Status.FAILED)
    return attempt.outcome(statuses=statuses, doubt=doubt if failed else None)


def _by_stock(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    by_scope: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_scope[cell.scope].append(cell)
    for scope in sorted(by_scope):
        yield sorted(by_scope[scope])


def _collect_list(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`ka10099`: every name of a market; the scope is the market."""
    for cell in cells:
        if cell.scope not in MARKETS:
            continue
        attempt = collection.attempt([cell])
        _ask_list(attempt, collection, STOCK_LIST, {"mrkt_tp": MARKETS[cell.scope]})
        attempt.fail_if_codes_are_none("code", LISTED_CODE)
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _collect_basics(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`ka10001`: listed and floating shares of one stock, now."""
    for cell in cells:
        attempt = collection.attempt([cell])
        _ask(attempt, collection, BASICS, {"stk_cd": cell.scope})
        yield attempt.outcome()


def _collect_daily(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`ka10081`: raw daily bars of one stock, 600 a page, back to the first day that is wanted."""
    for group in _by_stock(cells):
        attempt = collection.attempt(group)
        body = {
            "stk_cd": group[0].scope,
            "base_dt": _yyyymmdd(group[-1].day),
            "upd_stkpc_tp": "0",
        }
        walk = _walk_back(attempt, collection, DAILY_CHART, body, "dt", group[0].day)
        yield _outcome_by_day(attempt, collection, group, walk)


def _collect_minutes(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`ka10080`: minute bars of one stock, about 900 a page, back until the first day wanted is passed."""
    for group in _by_stock(cells):
        attempt = collection.attempt(group)
        body = {
            "stk_cd": group[0].scope,
            "tic_scope": "1",
            "upd_stkpc_tp": "0",
            "base_dt": _yyyymmdd(group[-1].day),
        }
        walk = _walk_back(attempt, collection, MINUTE_CHART, body, "cntr_tm", group[0].day)
        # of the day at which a walk was cut the rest may come the next time; where the vendor says that there is none, it is kept
        is_cut_within_day = _lacks_earlier_bars(attempt, walk.oldest) and walk.is_cut
        yield _outcome_by_day(
            attempt,
            collection,
            group,
            walk,
            {walk.oldest} if is_cut_within_day else frozenset(),
            f"kiwoom {MINUTE_CHART}: the pages end within the day, and the vendor does not say that there are no more",
        )


def _lacks_earlier_bars(attempt: Attempt, first_day: str) -> bool:
    """Whether the earliest bar is not the first of its day, which is said too: its running total holds more than its own trades.

    At the opening it may, by what was traded before; a total that is not told, or cannot be read, says nothing. What came is
    good data and is kept where the vendor has told that there is no more.

    Args:
        attempt: a walk that has ended.
        first_day: the day that the walk came down to, YYYYMMDD; one before the days that are wanted is cut where a page ends.
    """
    day = next((cell.day for cell in attempt.cells if _yyyymmdd(cell.day) == first_day), None)
    if day is None:
        return False
    bars = [
        (label, volume, total)
        for answer in attempt.answers
        for label, volume, total in zip(
            *(answer.column(name) for name in ("cntr_tm", "trde_qty", "acc_trde_qty")), strict=True
        )
        if label and label[:8] == first_day and label[8:].isdigit()
    ]
    if not bars:
        return False
    label, volume, total = min(bars, key=itemgetter(0))
    try:
        is_first = int(total) <= 1.01 * int(volume)
    except (TypeError, ValueError):
        return False
    is_lacking = not is_first and label[8:] >= f"{calendar.session_open(day):%H%M}01"
    if is_lacking:
        log.warning(
            "the walk ends after the opening, and more shares had been traded by then: earlier bars are missing",
            source="kiwoom",
            endpoint=MINUTE_CHART,
            scope=attempt.cells[0].scope,
            earliest=label,
            volume=volume,
            traded_by_then=total,
        )
    return is_lacking


def _poll_minutes(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`ka10080` while a session goes on: a page holds all of a day, so each look brings the session from its start."""
    for cell in cells:
        told_until = collection.told_until()
        attempt = collection.attempt([cell])
        body = {
            "stk_cd": cell.scope,
            "tic_scope": "1",
            "upd_stkpc_tp": "0",
            "base_dt": _yyyymmdd(cell.day),
        }
        walk = _walk_back(attempt, collection, MINUTE_CHART, body, "cntr_tm", cell.day)
        yield attempt.outcome(
            statuses={} if _yyyymmdd(cell.day) in walk.days else {cell: Status.NOT_PUBLISHED},
            when_empty=Status.NOT_PUBLISHED,
            told_until=told_until,
        )


MEASURES = {"1": "VALUE", "2": "VOLUME"}
SIDES = {"0": "NET", "1": "BUY", "2": "SELL"}


def _collect_investors(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`ka10059`: thirteen types of one stock, 100 days a page; each side and measure is a call of its own."""
    for group in _by_stock(cells):
        attempt = collection.attempt(group)
        walks: list[_Walk] = []
        for measure in MEASURES:
            for side in SIDES:
                body = {
                    "dt": _yyyymmdd(group[-1].day),
                    "stk_cd": group[0].scope,
                    "amt_qty_tp": measure,
                    "trde_tp": side,
                    "unit_tp": "1",
                }
                walks.append(_walk_back(attempt, collection, INVESTORS, body, "dt", group[0].day))
                if attempt.is_stopped:
                    break
            if attempt.is_stopped:
                break
        # a day counts as there when all six calls have it; one that some of them have is no day without data
        told_by_all = set.intersection(*(walk.days for walk in walks))
        together = _Walk(
            days=told_by_all,
            awaited=set.union(*(walk.days for walk in walks)) - told_by_all,
            oldest=max(walk.oldest for walk in walks),
            is_cut=any(walk.is_cut for walk in walks),
            is_repeated=any(walk.is_repeated for walk in walks),
        )
        yield _outcome_by_day(attempt, collection, group, together)


def _stock_codes(collection: Collection, day: date) -> list[str]:
    return [entry.code for entry in collection.listed(day) if entry.kind == "STOCK"]


SERVICE = Service(
    name="api",
    title="REST API",
    settings=KiwoomSettings,
    how_to_get=HOW_TO_GET,
    is_busy=_is_busy,
    check_status=_check_status,
    feeds=(
        Feed(
            name="stock_list",
            datasets=("stocks",),
            collect=_collect_list,
            latest_only=True,
            may_shrink_by=0.2,
            published_at=time(8, 0),
            scopes=lambda _collection, _day: tuple(MARKETS),
        ),
        Feed(
            name="basics",
            datasets=("floating_shares",),
            collect=_collect_basics,
            cadence=Cadence.WEEKLY,
            latest_only=True,
            published_at=time(19, 0),
            scopes=_stock_codes,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
            apart=cell_by_cell,
        ),
        Feed(
            name="daily_chart",
            datasets=("ohlcv_daily",),
            collect=_collect_daily,
            published_at=FINAL_AT,
            scopes=_stock_codes,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
            request_count=lambda cells: len({cell.scope for cell in cells}),
            apart=scope_by_scope,
        ),
        Feed(
            name="investors",
            datasets=("investor_trading",),
            collect=_collect_investors,
            published_at=FINAL_AT,
            scopes=_stock_codes,
            window_sessions=5,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
            request_count=lambda cells: (
                len({cell.scope for cell in cells}) * len(MEASURES) * len(SIDES)
            ),
            apart=scope_by_scope,
        ),
        Feed(
            name="minute_chart",
            datasets=("ohlcv_minute",),
            collect=_collect_minutes,
            poll=_poll_minutes,
            published_at=FINAL_AT,
            scopes=_stock_codes,
            window_sessions=2,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
            apart=scope_by_scope,
        ),
    ),
)
