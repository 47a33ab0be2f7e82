"""How the exchange's data portal is asked: log-in, session, one form for every screen.

data.krx.co.kr answers members only. A session is a cookie that lasts about an hour; without one the portal answers the bare
word LOGOUT. It says LOGOUT too to an address that it has blocked, so a second LOGOUT right after a log-in ends everything.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlparse

import requests
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from loaders.blocks import is_block_page
from loaders.collect import Attempt, Collection, Question
from loaders.config import SourceSettings
from loaders.errors import (
    AnswerRejectedError,
    HostBlockedError,
    LoaderError,
    RequestFailedError,
    SourceStoppedError,
)
from loaders.feeds import Answer
from loaders.krx.portal_screens import SCREENS
from loaders.payload import parse_json, parse_object

VENDOR_URL = "https://data.krx.co.kr"
DATA_PATH = "comm/bldAttendant/getJsonData.cmd"
DATA_REFERER = "contents/MDC/MDI/outerLoader/index.cmd"
LOG_IN_PAGE = "contents/MDC/COMS/client/MDCCOMS001.cmd"
LOG_IN_FRAME = "contents/MDC/COMS/client/view/login.jsp"
LOG_IN_PATH = "contents/MDC/COMS/client/MDCCOMS001D1.cmd"
USER_AGENT = "Mozilla/5.0 (compatible; korean-market-warehouse)"
LISTS = ("OutBlock_1", "output", "block1")
CLOCK = re.compile(rb'"CURRENT_DATETIME"\s*:\s*"[^"]*"')
"""The portal stamps every answer with the time of asking; two answers that differ in it alone say the same."""

LOGGED_IN, DUPLICATE, PASSWORD_DUE = "CD001", "CD011", "CD010"
HOW_TO_GET = (
    "register at data.krx.co.kr, set KRX_ID and KRX_PASSWORD, and switch the portal on with"
    f" KRX_PORTAL_BASE_URL={VENDOR_URL}"
)


class KrxPortalSettings(SourceSettings):
    """`KRX_ID`, `KRX_PASSWORD`, `KRX_PORTAL_BASE_URL`, `KRX_PORTAL_REQUESTS_PER_MINUTE` (one request a second)."""

    model_config = SettingsConfigDict(env_prefix="KRX_PORTAL_")

    id: SecretStr | None = Field(
        default=None, validation_alias="KRX_ID", json_schema_extra={"secret": True}
    )
    password: SecretStr | None = Field(
        default=None, validation_alias="KRX_PASSWORD", json_schema_extra={"secret": True}
    )
    base_url: str = VENDOR_URL
    requests_per_minute: float = 60

    def missing_secrets(self) -> list[str]:
        """Both at the exchange's own host. Another server may know no log-in: there none is fine, one alone is not."""
        is_elsewhere = urlparse(self.base_url).netloc != urlparse(VENDOR_URL).netloc
        if is_elsewhere and self.id is None and self.password is None:
            return []
        return super().missing_secrets()


class SessionEndedError(LoaderError):
    """The portal said LOGOUT: there is no session, or there is one no more."""


def check_status(status: int, body: bytes) -> None:
    """What an answer that is no HTTP 200 means.

    Raises:
        SessionEndedError: LOGOUT, whatever the status (400 and 404 were seen).
        HostBlockedError: HTTP 403, or a page that speaks of a block.
        SourceStoppedError: HTTP 429 that has lasted through all attempts.
    """
    _check_log_out(body)
    if status == 403 or _is_block_page(body):
        raise HostBlockedError(
            f"HTTP {status}: the data portal has blocked this address; it is left alone for a day"
        )
    if status == 429:
        raise SourceStoppedError(
            "HTTP 429 again and again: lower KRX_PORTAL_REQUESTS_PER_MINUTE and run again later"
        )


def _check_log_out(body: bytes) -> None:
    if body.strip().strip(b'"') == b"LOGOUT":
        raise SessionEndedError("the data portal says LOGOUT")


def _is_block_page(body: bytes) -> bool:
    return is_block_page(body[:20_000].decode("utf-8", errors="replace"))


def _parse(body: bytes) -> Any:
    _check_log_out(body)
    if _is_block_page(body):
        raise HostBlockedError(
            "the data portal answers with a page that speaks of a block; it is left alone for a day"
        )
    return parse_json(body)


def read_records(parsed: Any) -> Sequence[Any]:
    """The one list of an answer, under whichever of its three names.

    Raises:
        AnswerRejectedError: there is none.
    """
    found = [parsed[name] for name in LISTS if name in parsed] if isinstance(parsed, dict) else []
    if len(found) != 1 or not isinstance(found[0], list):
        raise AnswerRejectedError(
            f"krx: the answer of the data portal has no list under {', '.join(LISTS)}"
        )
    records: Sequence[Any] = found[0]
    return records


def ask(
    collection: Collection,
    attempt: Attempt,
    endpoint: str,
    params: Mapping[str, str],
    noted: Mapping[str, str] | None = None,
) -> Answer:
    """Ask one screen; logs in first where there are credentials, and once more when the session has ended.

    Args:
        collection: the run.
        attempt: what the answer belongs to.
        endpoint: of the screen, a key of `SCREENS`.
        params: of the screen, without `bld`.
        noted: recorded with the request without being sent.
    """
    base_url = collection.settings.base_url.rstrip("/")
    question = Question(
        endpoint=endpoint,
        path=DATA_PATH,
        params={"bld": SCREENS[endpoint].bld, **params},
        headers=_headers(f"{base_url}/{DATA_REFERER}"),
        read_records=read_records,
        parse=_parse,
        sent_as="form",
        noted=noted or {},
        volatile=CLOCK,
    )
    try:
        if not collection.cache.get("krx_portal_session"):
            _log_in(collection, is_wanted=False)
        return _ask_with_session(collection, attempt, question)
    except RequestFailedError as error:
        attempt.fail(endpoint, question.params, str(error))
    except SourceStoppedError as error:
        collection.stop(error)
        attempt.fail(endpoint, question.params, str(error))
    return attempt.answers[-1]


def _ask_with_session(collection: Collection, attempt: Attempt, question: Question) -> Answer:
    try:
        return attempt.ask(question)
    except SessionEndedError:
        _log_in(collection, is_wanted=True)
    try:
        return attempt.ask(question)
    except SessionEndedError:
        raise HostBlockedError(
            "the data portal says LOGOUT right after a log-in, which is how it blocks an address;"
            " it is left alone for a day"
        ) from None


def _headers(referer: str) -> dict[str, str]:
    return {
        "User-Agent": USER_AGENT,
        "Referer": referer,
        "X-Requested-With": "XMLHttpRequest",
    }


def _log_in(collection: Collection, *, is_wanted: bool) -> None:
    """Begin a session, if there are credentials.

    Args:
        collection: the run; the cookie of the session lives in its client.
        is_wanted: the portal has asked for a log-in.

    Raises:
        SourceStoppedError: the portal lets nobody in; the message says what to do.
        RequestFailedError: no answer.
    """
    settings = collection.settings
    assert isinstance(settings, KrxPortalSettings)
    if settings.id is None or settings.password is None:
        if is_wanted:
            raise SourceStoppedError(f"the data portal wants a log-in; {HOW_TO_GET}")
        return
    referer = _headers(f"{settings.base_url.rstrip('/')}/{LOG_IN_PAGE}")
    page_headers = {"User-Agent": USER_AGENT}
    _refuse_block(collection.send("GET", LOG_IN_PAGE, headers=page_headers), is_page=True)
    _refuse_block(
        collection.send("GET", LOG_IN_FRAME, params={"site": "mdc"}, headers=page_headers),
        is_page=True,
    )
    form = {
        "mbrNm": "",
        "telNo": "",
        "di": "",
        "certType": "",
        "mbrId": settings.id.get_secret_value(),
        "pw": settings.password.get_secret_value(),
    }
    code, message = _verdict(collection.send("POST", LOG_IN_PATH, form=form, headers=referer))
    if code == DUPLICATE:  # somebody is logged in already: the newer session takes over
        again = form | {"skipDup": "Y"}
        code, message = _verdict(collection.send("POST", LOG_IN_PATH, form=again, headers=referer))
    if code == PASSWORD_DUE:
        raise SourceStoppedError(
            "the data portal wants a new password (every three months): log in with a browser, change it,"
            " and set KRX_PASSWORD"
        )
    if code != LOGGED_IN:
        raise SourceStoppedError(
            f"the data portal refuses the log-in ({code}: {message}); check KRX_ID and KRX_PASSWORD"
        )
    collection.cache["krx_portal_session"] = True


def _refuse_block(response: requests.Response, *, is_page: bool = False) -> None:
    """Raise for a block; a whole page made for people is judged by its status, since its text is not meant for a program."""
    speaks_of_it = _is_block_page(response.content) and not (
        is_page and response.status_code == 200
    )
    if response.status_code == 403 or speaks_of_it:
        raise HostBlockedError(
            f"HTTP {response.status_code}: the data portal has blocked this address; it is left alone for a day"
        )


def _verdict(response: requests.Response) -> tuple[str, str]:
    """Code and message of a log-in."""
    _refuse_block(response)
    answer = parse_object(response.content)
    if not answer.get("_error_code"):
        snippet = response.text.strip()[:60]
        return f"HTTP {response.status_code}", f"no code of the log-in in {snippet!r}"
    return str(answer["_error_code"]), str(answer.get("_error_message", "no message"))
