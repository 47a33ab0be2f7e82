"""연합인포맥스 (Infomax), data vendor: stock master, delisted names, daily bars, flows by investor type.

The whole market of a day is asked for by lists of codes (`stock/info`), one name's history by range (`stock/hist`), flows by
stock and range. README.md in this folder says what the vendor offers and under which terms.
"""

import string
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from typing import Any

import requests
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from loaders.collect import Attempt, Collection, Question
from loaders.config import SourceSettings
from loaders.errors import AnswerRejectedError, SourceStoppedError
from loaders.feeds import Answer, Cell, Collected, Feed, Outcome, Service, Source, Status
from loaders.universe import current_fetches

MASTER_TYPES = ("ST", "MF", "RT", "SC", "IF", "DR", "FS", "EF", "EN")
"""Security types of the master: stocks and stock-like, ETF, ETN. ELW and warrants are left out."""

CODES_PER_REQUEST = 500
NO_MASTER = "no list of stocks yet; collect it first: make load SOURCE=infomax DATASET=stocks"
COMPLETE_ENOUGH = 0.9
"""Share of the asked names below which a day counts as not yet complete (18:10 was seen to give 29 %)."""

HISTORY_DAYS_PER_REQUEST = 900
INVESTOR_DAYS_PER_REQUEST = 60
"""At most 14 types on each: 840 rows, below the cap."""

FIRST_DELISTING_YEAR = 1995


class InfomaxSettings(SourceSettings):
    """`INFOMAX_TOKEN`, `INFOMAX_BASE_URL`, `INFOMAX_REQUESTS_PER_MINUTE` (Lite 60, Standard 120, Pro 180)."""

    model_config = SettingsConfigDict(env_prefix="INFOMAX_")

    token: SecretStr | None = Field(default=None, json_schema_extra={"secret": True})
    base_url: str = "https://infomaxy.einfomax.co.kr"
    requests_per_minute: float = 60
    row_cap: int = 1000
    """Rows after which the vendor cuts an answer without saying so; no paging parameter works."""


def _message(parsed: Any) -> str:
    message = parsed.get("message", "")
    return str(message.get("errmsg", message) if isinstance(message, dict) else message)


def _records(parsed: Any) -> Sequence[Any]:
    """Records of the envelope `{"success": true, "results": [...]}`; the vendor's errors come with HTTP 200."""
    if not isinstance(parsed, dict) or "success" not in parsed:
        raise AnswerRejectedError(
            "infomax: the answer is not the vendor's envelope (success, results)"
        )
    if parsed["success"] is not True:
        message = _message(parsed)
        if "access_denied" in message:
            raise SourceStoppedError(
                "the token is refused; get a new one on terminal screen 9000 and set INFOMAX_TOKEN"
            )
        if "사용량 제한" in message:
            raise SourceStoppedError(f"the daily quota is used up ({message}); run again tomorrow")
        raise AnswerRejectedError(f"infomax: {message or 'error without a message'}")
    results = parsed.get("results")
    if not isinstance(results, list):
        raise AnswerRejectedError("infomax: the envelope has no list `results`")
    return results


def _is_busy(response: requests.Response) -> bool:
    """The per-minute limit and the vendor's own time-out come as HTTP 200 and pass when retried."""
    if len(response.content) > 500 or b'"success"' not in response.content:
        return False
    try:
        message = _message(response.json())
    except (ValueError, AttributeError):
        return False
    return "access_limit" in message or "timeout" in message


def _check_status(status: int, _body: bytes) -> None:
    if status in (401, 403):
        raise SourceStoppedError(
            f"HTTP {status}: the token is refused; get a new one on terminal screen 9000 and set INFOMAX_TOKEN"
        )
    if status == 429:
        raise SourceStoppedError("HTTP 429 again and again: too many requests; run again later")


def _ask(attempt: Attempt, collection: Collection, endpoint: str, **params: str) -> Answer:
    settings = collection.settings
    assert isinstance(settings, InfomaxSettings) and settings.token
    return attempt.ask(
        Question(
            endpoint=endpoint,
            path=f"api/{endpoint}",
            params=params,
            headers={"Authorization": f"bearer {settings.token.get_secret_value()}"},
            read_records=_records,
        )
    )


def _is_cut(collection: Collection, answer: Answer) -> bool:
    settings = collection.settings
    assert isinstance(settings, InfomaxSettings)
    return answer.row_count >= settings.row_cap


def _fail_if_cut(collection: Collection, answer: Answer) -> None:
    if _is_cut(collection, answer):
        answer.error = f"the answer has {answer.row_count} rows and may have been cut by the vendor"


def _yyyymmdd(day: date) -> str:
    return day.strftime("%Y%m%d")


def _parts(prefix: str) -> list[str]:
    """Longer code prefixes that together cover a prefix. Codes hold letters from the fifth character on."""
    if not prefix:
        return [f"{number:02d}" for number in range(100)]
    alphabet = string.digits + (string.ascii_uppercase if len(prefix) >= 4 else "")
    return [prefix + character for character in alphabet]


def _collect_master(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/code` by security type; an answer cut at 1,000 rows is asked again by code prefix.

    `code` matches anywhere in a code, so answers overlap; staging keeps one record a code.
    """
    for cell in cells:
        attempt = collection.attempt([cell])
        pending = deque((security_type, "") for security_type in MASTER_TYPES)
        while pending and not attempt.is_stopped:
            security_type, prefix = pending.popleft()
            answer = _ask(attempt, collection, "stock/code", type=security_type, code=prefix)
            if _is_cut(collection, answer):
                if len(prefix) == 6:
                    _fail_if_cut(collection, answer)
                else:
                    pending.extend((security_type, part) for part in _parts(prefix))
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _delisting_years(collection: Collection, day: date) -> list[str]:
    """Years to ask for: each past one once, this and the last one at every look."""
    known = collection.connection.execute(
        "select distinct scope from raw.fetch_cells where source = 'infomax'"
        " and dataset = 'delisted_stocks' and status in ('SUCCESS', 'UNCHANGED', 'EMPTY')"
    )
    done = {scope for (scope,) in known}
    years = range(FIRST_DELISTING_YEAR, day.year + 1)
    return [str(year) for year in years if str(year) not in done or year >= day.year - 1]


def _collect_delisted(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/expired` by year of delisting; the scope is the year."""
    for cell in cells:
        attempt = collection.attempt([cell])
        answer = _ask(
            attempt,
            collection,
            "stock/expired",
            startDate=f"{cell.scope}0101",
            endDate=min(f"{cell.scope}1231", _yyyymmdd(cell.day)),
        )
        _fail_if_cut(collection, answer)
        yield attempt.outcome()


LISTINGS = f"""
    select
        codes.code,
        codes.isin,
        case fetches.request ->> 'type' when 'EF' then 'ETF' when 'EN' then 'ETN' else 'STOCK' end,
        false,
        codes.listed_date,
        null
    from raw.infomax__stock_code as codes
    inner join raw.fetches as fetches on codes._fetch_id = fetches.fetch_id
    where codes._fetch_id in ({current_fetches("infomax", "stocks")})
    union all
    select
        code,
        isin,
        case
            when equity_type in ('EF', 'ETF') then 'ETF'
            when equity_type in ('EN', 'ETN') then 'ETN'
            when equity_type in ('EW', 'ELW') then 'OTHER'
            else 'STOCK'
        end,
        false,
        listed_date,
        delisted_date
    from raw.infomax__stock_expired
    where _fetch_id in ({current_fetches("infomax", "delisted_stocks")})
"""  # noqa: S608 - names of our own tables


def _listed_codes(collection: Collection, day: date) -> list[str]:
    """Codes of the stocks listed on a day by the lists of every source; this vendor has no KONEX.

    The exchange's own list may know a new listing that this vendor's master still lacks.
    """
    return [
        entry.code
        for entry in collection.listed(day)
        if entry.kind == "STOCK" and not entry.is_konex
    ]


def _collect_market_day(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/info`: every stock listed on a day, many codes in one call."""
    for cell in cells:
        codes = _listed_codes(collection, cell.day)
        if not codes:
            yield collection.failure("stock/info", {}, cells, NO_MASTER)
            return
        attempt = collection.attempt([cell])
        for start in range(0, len(codes), CODES_PER_REQUEST):
            chunk = codes[start : start + CODES_PER_REQUEST]
            answer = _ask(
                attempt, collection, "stock/info", code=",".join(chunk), date=_yyyymmdd(cell.day)
            )
            _fail_if_cut(collection, answer)
            if attempt.is_stopped:
                break
        outcome = attempt.outcome(when_empty=Status.NOT_PUBLISHED)
        if outcome.status is Status.SUCCESS and attempt.row_count < COMPLETE_ENOUGH * len(codes):
            outcome.status = Status.PARTIAL
            outcome.error = (
                f"only {attempt.row_count} of {len(codes)} listed names on {cell.day};"
                " the vendor has not finished the day"
            )
        yield outcome


def _ranges(cells: Sequence[Cell], longest: timedelta) -> Iterator[list[Cell]]:
    """Group the cells of each stock into ranges no longer than `longest`."""
    by_scope: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_scope[cell.scope].append(cell)
    for scope in sorted(by_scope):
        group: list[Cell] = []
        for cell in sorted(by_scope[scope]):
            if group and cell.day - group[0].day >= longest:
                yield group
                group = []
            group.append(cell)
        yield group


def _collect_by_stock(
    collection: Collection, cells: Sequence[Cell], endpoint: str, longest: timedelta
) -> Iterator[Outcome]:
    """One stock over a range of days in one call; a day that the answer lacks is EMPTY, or not yet published."""
    if not _listed_codes(collection, max(cells).day):
        yield collection.failure(endpoint, {}, cells, NO_MASTER)
        return
    for group in _ranges(cells, longest):
        attempt = collection.attempt(group)
        answer = _ask(
            attempt,
            collection,
            endpoint,
            code=group[0].scope,
            startDate=_yyyymmdd(group[0].day),
            endDate=_yyyymmdd(group[-1].day),
        )
        _fail_if_cut(collection, answer)
        came = set(answer.column("date"))
        statuses = {
            cell: Status.NOT_PUBLISHED if cell.day == collection.now.date() else Status.EMPTY
            for cell in group
            if _yyyymmdd(cell.day) not in came
        }
        yield attempt.outcome(statuses=statuses)


def _collect_history(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/hist`: the back-fill of one name."""
    return _collect_by_stock(
        collection, cells, "stock/hist", timedelta(days=HISTORY_DAYS_PER_REQUEST)
    )


def _collect_investors(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/investor`: fourteen types of one stock over up to 60 days.

    The filter stays empty: the label of the pension type in answers differs from the documented one.
    """
    return _collect_by_stock(
        collection, cells, "stock/investor", timedelta(days=INVESTOR_DAYS_PER_REQUEST)
    )


SERVICE = Service(
    name="api",
    title="API",
    settings=InfomaxSettings,
    how_to_get="set INFOMAX_TOKEN: terminal screen 9000 shows it, or ask api_infomax@yna.co.kr for a contract",
    is_busy=_is_busy,
    check_status=_check_status,
    feeds=(
        Feed(
            name="stock_code",
            datasets=("stocks",),
            collect=_collect_master,
            latest_only=True,
            may_shrink_by=0.2,
            published_at=time(7, 0),
        ),
        Feed(
            name="stock_expired",
            datasets=("delisted_stocks",),
            collect=_collect_delisted,
            latest_only=True,
            published_at=time(7, 0),
            scopes=_delisting_years,
        ),
        Feed(
            name="stock_info",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=_collect_market_day,
            published_at=time(19, 0),
        ),
        Feed(
            name="stock_hist",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=_collect_history,
            published_at=time(19, 0),
            takes_stock_codes=True,
            collected=Collected.SCOPE_NAMED,
        ),
        Feed(
            name="stock_investor",
            datasets=("investor_trading",),
            collect=_collect_investors,
            published_at=time(19, 0),
            scopes=_listed_codes,
            takes_stock_codes=True,
        ),
    ),
)

SOURCE = Source(
    name="infomax",
    title="연합인포맥스 (Infomax)",
    services=(SERVICE,),
    listings=LISTINGS,
)
