"""How the broker's REST API is asked: token, headers, envelope, errors and paging by response header."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import requests
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from loaders import calendar
from loaders.collect import Attempt, Collection, Question, Records
from loaders.config import Concurrency, SourceSettings
from loaders.errors import (
    AnswerRejectedError,
    RequestFailedError,
    SourceStoppedError,
    TokenRefusedError,
)
from loaders.feeds import Answer, refuse_other_stock
from loaders.payload import parse_object, says_something
from loaders.tokens import Token, TokenStore

TOKEN_REFUSED = ("EGW00121", "EGW00122", "EGW00123")
"""Token not valid, not given, expired: a new one helps."""

BUSY = ("EGW00201", "EGW00300", "EGW00301", "EGW00302")
"""Too many requests a second, and the vendor's own time-outs: they pass when asked again."""

TOO_MANY_TOKENS = "EGW00133"
HOW_TO_GET = (
    "set KIS_APP_KEY and KIS_APP_SECRET: open an account, then apply for the Open API at apiportal.koreainvestment.com"
    " (KIS Developers); paper-trading keys do not serve every request"
)
MORE_PAGES = ("M", "F")
LONGEST_ERROR = 2_000
"""Bytes of an answer that tells of an error, or a token: a page is longer."""

log = structlog.get_logger()


class KisSettings(SourceSettings):
    """`KIS_APP_KEY`, `KIS_APP_SECRET`, `KIS_BASE_URL` and what else begins with `KIS_`.

    The vendor allows 20 requests a second; 16 were measured to lose none.
    """

    model_config = SettingsConfigDict(env_prefix="KIS_")

    app_key: SecretStr | None = Field(default=None, json_schema_extra={"secret": True})
    app_secret: SecretStr | None = Field(default=None, json_schema_extra={"secret": True})
    base_url: str = "https://openapi.koreainvestment.com:9443"
    requests_per_minute: float = 960
    concurrency: Concurrency = 8
    market_division: Literal["J", "NX", "UN"] = "J"
    """Venue of minute bars: J is the exchange, NX is Nextrade, UN is both together."""
    investor_etc_class: str = ""
    """`FID_ETC_CLS_CODE` of the flows: documented as empty or 1, users send either and see no difference."""
    token_interval_seconds: float = 61
    """Between two requests for a token; the vendor refuses a second one within a minute."""


def settings_of(collection: Collection) -> KisSettings:
    """The settings of a run of this service."""
    assert isinstance(collection.settings, KisSettings)
    return collection.settings


def is_busy(response: requests.Response) -> bool:
    """Whether an answer says "slow down", whatever its status."""
    return _code(response.content) in BUSY


def is_final(response: requests.Response) -> bool:
    """Whether an error status carries one of the vendor's own codes that asking again does not change."""
    code = _code(response.content)
    return bool(code) and code not in BUSY


def check_status(status: int, body: bytes) -> None:
    """Turn an error status and the vendor's code in it, if there is one, into what the run has to do."""
    code = _code(body)
    if not code:
        if status in (401, 403):
            raise SourceStoppedError(
                f"HTTP {status}: access is refused; check KIS_APP_KEY, KIS_APP_SECRET and KIS_BASE_URL"
            )
        if status == 429:
            raise SourceStoppedError(
                "HTTP 429 again and again: lower KIS_REQUESTS_PER_MINUTE and run again later"
            )
        return
    message = f"{code} {_message(body)}".strip()
    if code in TOKEN_REFUSED:
        raise TokenRefusedError(message)
    _stop_where_no_use(code, message)
    raise AnswerRejectedError(f"kis: {message}")


def _stop_where_no_use(code: str, message: str) -> None:
    if code == "EGW00201":
        raise SourceStoppedError(
            f"{message}: more requests a second than the key may make, again and again; lower KIS_REQUESTS_PER_MINUTE"
        )
    if code == "EGW02004":
        raise SourceStoppedError(
            f"{message}: the key belongs to the other host (real or paper trading); correct KIS_BASE_URL"
        )
    if code in ("EGW00103", "EGW00104", "EGW00105"):
        raise SourceStoppedError(
            f"{message}: the key is refused; check KIS_APP_KEY and KIS_APP_SECRET, they may have been renewed"
        )


def _parsed(body: bytes) -> Mapping[str, Any]:
    """Body of a short answer, or nothing where it cannot be read; data pages are never parsed twice."""
    return parse_object(body) if len(body) <= LONGEST_ERROR else {}


def _code(body: bytes) -> str:
    """The vendor's code of an answer that reports an error, else an empty text."""
    parsed = _parsed(body)
    if "error_code" in parsed:
        return str(parsed["error_code"])
    return "" if parsed.get("rt_cd", "0") == "0" else str(parsed.get("msg_cd", ""))


def _message(body: bytes) -> str:
    parsed = _parsed(body)
    return str(parsed.get("error_description") or parsed.get("msg1") or "").strip()


# --- token -----------------------------------------------------------------------------------------------------------


def _token(collection: Collection, refused: str | None = None) -> str:
    """The token of this run: read once, renewed where the vendor refuses it.

    Raises:
        SourceStoppedError: the vendor gives none.
    """
    settings = settings_of(collection)
    assert settings.app_key
    account = settings.app_key.get_secret_value()
    store: TokenStore = collection.once(
        "token store",
        lambda: TokenStore(
            settings.base_url,
            account,
            lambda: _issue_token(collection),
            settings.token_interval_seconds,
        ),
    )
    return store.get(refused=refused)


def _issue_token(collection: Collection) -> Token:
    settings = settings_of(collection)
    assert settings.app_key and settings.app_secret
    try:
        response = collection.send(
            "POST",
            "oauth2/tokenP",
            json={
                "grant_type": "client_credentials",
                "appkey": settings.app_key.get_secret_value(),
                "appsecret": settings.app_secret.get_secret_value(),
            },
        )
    except RequestFailedError as error:
        raise SourceStoppedError(f"no token: {error}") from None
    code = _code(response.content)
    if code == TOO_MANY_TOKENS:
        raise SourceStoppedError(
            f"{code}: a token is given once a minute, and another program has just asked for one with this key;"
            " run again in a minute"
        )
    message = f"{code} {_message(response.content)}".strip() or f"HTTP {response.status_code}"
    _stop_where_no_use(code, message)
    issued = _parsed(response.content)
    if not issued:
        raise SourceStoppedError(
            f"no token ({message}) but {response.text.strip()[:60]!r}; the vendor may be under maintenance: run again later,"
            " and check KIS_BASE_URL where it lasts"
        )
    if response.status_code != 200 or not issued.get("access_token"):
        raise SourceStoppedError(
            f"no token ({message}); check KIS_APP_KEY, KIS_APP_SECRET and KIS_BASE_URL"
        )
    return Token(str(issued["access_token"]), _end_of(issued))


def _end_of(issued: Mapping[str, Any]) -> datetime:
    """When a token ends: after its life in seconds, sooner where the vendor names a moment that is still to come.

    A token asked for again within six hours is the same one, with less of its life left.
    """
    now = datetime.now(UTC)
    try:
        end = now + timedelta(seconds=int(str(issued["expires_in"])))
    except (KeyError, ValueError):
        end = now + timedelta(hours=6)
    try:
        named = datetime.strptime(
            str(issued["access_token_token_expired"]), "%Y-%m-%d %H:%M:%S"
        ).replace(tzinfo=calendar.KST)
    except (KeyError, ValueError):
        return end
    return min(end, named) if named > now else end


# --- requests --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """One kind of request.

    Attributes:
        endpoint: as the field contract names it.
        path: below `/uapi/`.
        tr_id: the vendor's number of the transaction.
        records: name of the list in the answer.
        header: name of a record beside it, kept in the table `<endpoint>/<header>`, or None.
    """

    endpoint: str
    path: str
    tr_id: str
    records: str
    header: str | None = None


@dataclass
class Page:
    """One answer and what of its envelope the next request needs.

    Attributes:
        answer: the answer; its `error` says why it is of no use.
        is_closed: the vendor does not serve this at this time of the day.
        context: keys for the next page that stand in the body.
    """

    answer: Answer
    is_closed: bool = False
    context: Mapping[str, str] | None = None

    @property
    def has_more(self) -> bool:
        """The vendor has a further page."""
        return self.answer.headers.get("tr_cont", "") in MORE_PAGES


def ask(
    attempt: Attempt,
    collection: Collection,
    request: Request,
    params: Mapping[str, str],
    *,
    page: int = 1,
    is_continued: bool = False,
    noted: Mapping[str, str] | None = None,
) -> Page:
    """Ask for one page; where the token has ended meanwhile, once more with a new one.

    Args:
        attempt: what the page belongs to.
        collection: the run.
        request: kind of request.
        params: sent as the query; no secrets.
        page: number of the page, recorded with the request.
        is_continued: the vendor is to go on where the page before ended.
        noted: recorded with the request without being sent.
    """
    envelope: dict[str, Any] = {}

    def read(parsed: Any) -> Records:
        records = _read(request, parsed)
        _check_stock(request, params, parsed)
        envelope.update(parsed)
        return records

    def question(token: str) -> Question:
        settings = settings_of(collection)
        assert settings.app_key and settings.app_secret
        return Question(
            endpoint=request.endpoint,
            path=f"uapi/{request.path}",
            params=params,
            headers={
                "content-type": "application/json; charset=utf-8",
                "authorization": f"Bearer {token}",
                "appkey": settings.app_key.get_secret_value(),
                "appsecret": settings.app_secret.get_secret_value(),
                "tr_id": request.tr_id,
                "custtype": "P",
                "tr_cont": "N" if is_continued else "",
            },
            read_records=read,
            noted={**(noted or {}), **({"page": str(page)} if page > 1 else {})},
        )

    try:
        token = _token(collection)
        try:
            answer = attempt.ask(question(token))
        except TokenRefusedError:
            answer = attempt.ask(question(_token(collection, refused=token)))
    except TokenRefusedError as error:
        stopped = SourceStoppedError(
            f"{error}: a new token is refused too; check KIS_APP_KEY, KIS_APP_SECRET and KIS_BASE_URL"
        )
    except SourceStoppedError as error:
        stopped = error
    else:
        context = {
            name.upper(): str(value)
            for name, value in envelope.items()
            if name.startswith("ctx_area_")
        }
        return Page(answer, _is_closed(envelope), context)
    collection.stop(stopped)
    attempt.fail(request.endpoint, params, str(stopped))
    return Page(attempt.answers[-1])


def _is_closed(parsed: Mapping[str, Any]) -> bool:
    """Outside the hours of a request the vendor says so with rt_cd 2: `TIME LIMIT 00:00 ~ 15:40`."""
    return parsed.get("rt_cd") == "2" and "TIME LIMIT" in str(parsed.get("msg1", ""))


def _read(request: Request, parsed: Any) -> Records:
    """Records of the envelope `{"rt_cd": "0", …, "output2": […]}`."""
    if not isinstance(parsed, dict) or "rt_cd" not in parsed:
        raise AnswerRejectedError(
            "kis: the answer is not the vendor's envelope (rt_cd, msg_cd, output)"
        )
    if _is_closed(parsed):
        return []
    if parsed["rt_cd"] != "0":
        code = str(parsed.get("msg_cd", ""))
        message = f"{code} {str(parsed.get('msg1', '')).strip()}".strip()
        if code in TOKEN_REFUSED:
            raise TokenRefusedError(message)
        _stop_where_no_use(code, message)
        raise AnswerRejectedError(f"kis: {message or 'error without a message'}")
    found = parsed.get(request.records)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise AnswerRejectedError(f"kis: the envelope has no list `{request.records}`")
    # an answer with nothing to tell may be one record of empty texts; among others a record stays as it was sent
    told = (
        [record for record in found if record != {}]
        if len(found) > 1
        else list(filter(says_something, found))
    )
    records = {request.endpoint: told}
    header = parsed.get(request.header) if request.header else None
    if isinstance(header, dict) and header:
        records[f"{request.endpoint}/{request.header}"] = [header]
    return records


def _check_stock(request: Request, params: Mapping[str, str], parsed: Mapping[str, Any]) -> None:
    """Where an answer names its stock it does so in one record beside the rows, or in the only one."""
    asked = params.get("FID_INPUT_ISCD") or params.get("PDNO")
    for record in (parsed.get("output1"), parsed.get("output")):
        if isinstance(record, dict):
            told = record.get("stck_shrn_iscd") or record.get("pdno")
            refuse_other_stock(f"kis {request.endpoint}", asked, told)


FIRST_REPEAT = 2
"""Number of the page that shows whether a vendor knows any other page than the first."""


def warn_repeated(endpoint: str, asked: Mapping[str, str]) -> None:
    """Say that the second page is the first one again: paging is not heard, and the one page is what there is.

    It is good data and is kept; what may lie beyond it is for the checks of completeness to name.
    """
    log.warning(
        "the second page is the first one again; it is taken as all there is",
        source="kis",
        endpoint=endpoint,
        asked=dict(asked),
    )


def pages(
    attempt: Attempt,
    collection: Collection,
    request: Request,
    params: Mapping[str, str],
    *,
    most: int,
    noted: Mapping[str, str] | None = None,
) -> Iterator[Page]:
    """Pages of one request, as far as the reader goes on and the vendor has more.

    A page that comes again after others, or a list that is not at its end after `most` pages, fails the attempt: what is
    missing cannot be told. Where the very second page is the first one again, the vendor has no other: see `warn_repeated`.
    """
    seen: set[str | None] = set()
    asked = dict(params)
    for number in range(1, most + 1):
        page = ask(
            attempt, collection, request, asked, page=number, is_continued=number > 1, noted=noted
        )
        if page.answer.error:
            return
        if page.answer.payload_sha256 in seen and page.answer.row_count:
            if number == FIRST_REPEAT:
                warn_repeated(request.endpoint, asked)
                return
            attempt.fail(
                request.endpoint,
                asked,
                f"page {number} is one that came before; the list is not whole",
            )
            return
        seen.add(page.answer.payload_sha256)
        yield page
        if not page.has_more:
            return
        asked |= page.context or {}
    attempt.fail(request.endpoint, asked, f"no end after {most} pages")
