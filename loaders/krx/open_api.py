"""The exchange's official Open API: one market and day in one call."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from typing import Any

import structlog
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from loaders.collect import MAY_BE_NO_STOCK_CODE_OF_A_DAY, Collection, Question
from loaders.config import SourceSettings
from loaders.errors import AnswerRejectedError, NotOfferedError, SourceStoppedError
from loaders.feeds import FUNDS, Answer, Cell, Feed, Outcome, Service, Status

MARKET_PREFIXES = {"KOSPI": "stk", "KOSDAQ": "ksq", "KONEX": "knx"}
OPEN_API_SINCE = date(2010, 1, 4)
KONEX_SINCE = date(2013, 7, 1)
INDEX_FAMILIES = {"KRX": "krx", "KOSPI": "kospi", "KOSDAQ": "kosdaq"}
FUND_PREFIXES = {FUNDS: "etf"}
FUND_CATEGORY = "etp"
NOT_FOUND = 404
HOW_TO_GET = (
    "set KRX_OPENAPI_KEY: register at openapi.krx.co.kr and apply for each of the six 주식 and three 지수 services, and for"
    " ETF 일별매매정보"
)

log = structlog.get_logger()


class KrxOpenApiSettings(SourceSettings):
    """`KRX_OPENAPI_KEY`, `KRX_OPENAPI_BASE_URL`, `KRX_OPENAPI_REQUESTS_PER_MINUTE` (10,000 calls a key and day)."""

    model_config = SettingsConfigDict(env_prefix="KRX_OPENAPI_")

    key: SecretStr | None = Field(default=None, json_schema_extra={"secret": True})
    base_url: str = "https://data-dbg.krx.co.kr"
    requests_per_minute: float = 60


def _records(parsed: Any) -> Sequence[Any]:
    if not isinstance(parsed, dict) or not isinstance(parsed.get("OutBlock_1"), list):
        _refuse_error(parsed)
        raise AnswerRejectedError("krx: the answer has no list OutBlock_1")
    records: Sequence[Any] = parsed["OutBlock_1"]
    return records


def _refuse_error(parsed: Any) -> None:
    """Say what an error says that comes with HTTP 200; a code that ends the asking ends it by whichever way it comes."""
    if not isinstance(parsed, dict) or not {"respCode", "respMsg"} & parsed.keys():
        return
    code, message = str(parsed.get("respCode")), str(parsed.get("respMsg"))
    if code in ("401", "404", "429"):
        _check_status(int(code), message.encode())
    raise AnswerRejectedError(f"krx: the Open API says {message[:120]!r} (respCode {code})")


def _check_status(status: int, body: bytes) -> None:
    if status == 401 and b"API Call" in body:
        raise NotOfferedError(f"HTTP 401: this service was not applied for; {HOW_TO_GET}")
    if status == 404 and b"does not exist" in body:
        raise NotOfferedError(
            "HTTP 404: there is no such service; check KRX_OPENAPI_BASE_URL, or the vendor has renamed it"
        )
    if status == 401:
        raise SourceStoppedError(f"HTTP 401: the key is refused; {HOW_TO_GET}")
    if status == 429:
        raise SourceStoppedError(
            "HTTP 429: the 10,000 calls of the day are used up; run again tomorrow"
        )


def _markets(_collection: Collection, day: date) -> list[str]:
    return [market for market in MARKET_PREFIXES if market != "KONEX" or day >= KONEX_SINCE]


def _fail_if_other_day(answer: Answer) -> None:
    """Make an answer an error that tells of another day: its rows would find no cell."""
    asked = answer.request["basDd"]
    others = {day for day in answer.days("bas_dd") if day != asked}
    if others and not answer.error:
        answer.error = f"{answer.endpoint}: asked for {asked}, the answer holds {others.pop()!r}; it is kept out"


def _fail_if_no_funds(answer: Answer) -> None:
    """Refuse an answer without any net asset value: its cell would count as done and tell no fund."""
    if answer.row_count and not answer.error and not any(answer.column("nav")):
        answer.error = (
            f"{answer.endpoint}: no record tells a net asset value (NAV); it is kept out: the records are of no funds, or the"
            " vendor has renamed the field"
        )


def _collect(
    collection: Collection,
    cells: Sequence[Cell],
    family: str,
    category: str = "sto",
    prefixes: Mapping[str, str] = MARKET_PREFIXES,
) -> Iterator[Outcome]:
    settings = collection.settings
    assert isinstance(settings, KrxOpenApiSettings) and settings.key
    for cell in cells:
        if cell.scope not in prefixes:
            continue
        endpoint = f"{prefixes[cell.scope]}_{family}"
        attempt = collection.attempt([cell])
        question = Question(
            endpoint=endpoint,
            path=f"svc/apis/{category}/{endpoint}",
            params={"basDd": cell.day.strftime("%Y%m%d")},
            headers={"AUTH_KEY": settings.key.get_secret_value()},
            read_records=_records,
        )
        try:
            answer = attempt.ask(question)
        except NotOfferedError as error:
            if category == FUND_CATEGORY:
                _warn_skipped(endpoint, str(error))
                return
            collection.stop(error)
            attempt.fail(endpoint, question.params, str(error))
            yield attempt.outcome()
            return
        if answer.http_status == NOT_FOUND and category == FUND_CATEGORY:
            _warn_skipped(endpoint, answer.error)
            return
        if family == "dd_trd":
            _fail_if_other_day(answer)
        elif family == "bydd_trd":
            answer.fail_if_stale("bas_dd", cell.day)
            attempt.fail_if_codes_are_none("isu_cd", may_be_none=MAY_BE_NO_STOCK_CODE_OF_A_DAY)
            if category == FUND_CATEGORY:
                _fail_if_no_funds(answer)
        else:
            attempt.fail_if_codes_are_none("isu_srt_cd")
        # an empty list means holiday or not yet there; this day is a session, so it will come
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _warn_skipped(endpoint: str, reason: str | None) -> None:
    """A service that is not there for this key is as a source without its key: no gap of the warehouse."""
    log.warning("service skipped", source="krx", service=endpoint, reason=reason)


def _collect_base_info(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`*_isu_base_info`: every listed stock of a market as of a day."""
    return _collect(collection, cells, "isu_base_info")


def _collect_daily(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`*_bydd_trd`: every stock of a market and day."""
    return _collect(collection, cells, "bydd_trd")


def _collect_funds(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`etf_bydd_trd`: every exchange traded fund of a day, with its net asset value."""
    return _collect(collection, cells, "bydd_trd", FUND_CATEGORY, FUND_PREFIXES)


def _collect_index_levels(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`{krx,kospi,kosdaq}_dd_trd`: every index of a family and day."""
    return _collect(collection, cells, "dd_trd", "idx", INDEX_FAMILIES)


SERVICE = Service(
    name="open_api",
    title="오픈 API (Open API)",
    settings=KrxOpenApiSettings,
    how_to_get=HOW_TO_GET,
    check_status=_check_status,
    feeds=(
        Feed(
            name="isu_base_info",
            datasets=("stocks",),
            collect=_collect_base_info,
            may_shrink_by=0.2,
            published_after_sessions=1,
            published_at=time(8, 0),
            scopes=_markets,
            since=OPEN_API_SINCE,
        ),
        Feed(
            name="bydd_trd",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=_collect_daily,
            published_after_sessions=1,
            published_at=time(8, 0),
            scopes=_markets,
            since=OPEN_API_SINCE,
        ),
        Feed(
            name="etf_bydd_trd",
            datasets=("ohlcv_daily", "market_cap_daily", "etf_daily"),
            collect=_collect_funds,
            published_after_sessions=1,
            published_at=time(8, 0),
            scopes=lambda _collection, _day: (FUNDS,),
            since=OPEN_API_SINCE,
        ),
        Feed(
            # last: a key that was not applied for these services stops here and not before the prices
            name="dd_trd",
            datasets=("index_daily",),
            collect=_collect_index_levels,
            published_after_sessions=1,
            published_at=time(8, 0),
            scopes=lambda _collection, _day: tuple(INDEX_FAMILIES),
            since=OPEN_API_SINCE,
        ),
    ),
)
