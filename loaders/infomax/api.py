"""The vendor's HTTP interface: settings, envelope, errors that come with HTTP 200, the cut at 1,000 rows."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import requests
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from loaders.collect import Attempt, Collection, Question
from loaders.config import Concurrency, SourceSettings
from loaders.errors import AnswerRejectedError, SourceStoppedError
from loaders.feeds import Answer
from loaders.payload import parse_json

NO_MASTER = "no list of stocks yet; collect it first: make load SOURCE=infomax DATASET=stocks"

log = structlog.get_logger()


class InfomaxSettings(SourceSettings):
    """`INFOMAX_TOKEN`, `INFOMAX_BASE_URL`, `INFOMAX_REQUESTS_PER_MINUTE` (Lite 60, Standard 120, Pro 180)."""

    model_config = SettingsConfigDict(env_prefix="INFOMAX_")

    token: SecretStr | None = Field(default=None, json_schema_extra={"secret": True})
    base_url: str = "https://infomaxy.einfomax.co.kr"
    requests_per_minute: float = 60
    concurrency: Concurrency = 2
    row_cap: int = 1000
    """Rows after which the vendor cuts an answer without saying so; no paging parameter works."""


def _message(parsed: Any) -> str:
    message = parsed.get("message")
    if isinstance(message, dict):
        message = message.get("errmsg", message)
    return "" if message is None else str(message)


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
        if "access_limit" in message:  # it has outlasted all attempts
            raise SourceStoppedError(
                "access_limit again and again: lower INFOMAX_REQUESTS_PER_MINUTE to what the contract allows, run again later"
            )
        raise AnswerRejectedError(
            f"infomax: {message or f'an error without a message: {str(parsed)[:120]}'}"
        )
    results = parsed.get("results")
    if not isinstance(results, list):
        raise AnswerRejectedError("infomax: the envelope has no list `results`")
    return results


def is_busy(response: requests.Response) -> bool:
    """The per-minute limit and the vendor's own time-out come as HTTP 200 and pass when retried."""
    if len(response.content) > 500 or b'"success"' not in response.content:
        return False
    try:
        message = _message(parse_json(response.content))
    except (AnswerRejectedError, AttributeError):
        return False
    return "access_limit" in message or "timeout" in message


def check_status(status: int, _body: bytes) -> None:
    """Stop at a refused token and at a limit that does not pass.

    Raises:
        SourceStoppedError: one of these.
    """
    if status in (401, 403):
        raise SourceStoppedError(
            f"HTTP {status}: the token is refused; get a new one on terminal screen 9000 and set INFOMAX_TOKEN"
        )
    if status == 429:
        raise SourceStoppedError("HTTP 429 again and again: too many requests; run again later")


def ask(attempt: Attempt, collection: Collection, endpoint: str, **params: str) -> Answer:
    """Ask one endpoint."""
    settings = _settings(collection)
    assert settings.token
    return attempt.ask(
        Question(
            endpoint=endpoint,
            path=f"api/{endpoint}",
            params=params,
            headers={"Authorization": f"bearer {settings.token.get_secret_value()}"},
            read_records=_records,
        )
    )


def _settings(collection: Collection) -> InfomaxSettings:
    settings = collection.settings
    assert isinstance(settings, InfomaxSettings)
    return settings


def is_cut(collection: Collection, answer: Answer) -> bool:
    """Whether an answer is as long as answers get, so that records may be missing."""
    return answer.row_count >= _settings(collection).row_cap


def fail_if_cut(collection: Collection, answer: Answer) -> None:
    """Make an answer that may lack records an error."""
    if is_cut(collection, answer):
        answer.error = f"the answer has {answer.row_count} rows and may have been cut by the vendor"


def fail_if_not_asked(answer: Answer, column: str, asked: str) -> None:
    """Make an answer an error that tells of something else than what was asked for.

    Its rows would find no cell and vanish without a word; a code that lost its zeros is the likely case.
    """
    values = answer.days(column) if column == "date" else answer.column(column)
    others = sorted({value for value in values if value not in (None, "", asked)})
    if others and not answer.error:
        answer.error = (
            f"{answer.endpoint}: asked for {column} {asked}, the answer holds {', '.join(others[:3])};"
            " it is kept out (leading zeros lost, or the vendor answers for something else)"
        )


def fail_if_lacking(answer: Answer, column: str, asked: str) -> None:
    """Make an answer an error that tells nothing of what was asked for.

    Where it tells of others besides (the vendor takes lists of codes), they keep their own codes and are named in the log.
    """
    told = {value for value in answer.column(column) if value is not None}
    if asked not in told:
        fail_if_not_asked(answer, column, asked)
    elif len(told) > 1 and not answer.error:
        log.warning(
            "the answer tells of more than was asked for",
            endpoint=answer.endpoint,
            asked=asked,
            others=", ".join(sorted(told - {asked})[:3]),
        )


def yyyymmdd(day: date) -> str:
    """A day as the vendor writes it."""
    return day.strftime("%Y%m%d")


def listed_codes(collection: Collection, day: date, kind: str) -> list[str]:
    """Codes of the securities of a kind listed on a day by the lists of every source; this vendor has no KONEX.

    The exchange's own list may know a new listing that this vendor's master still lacks.
    """
    codes = [
        entry.code for entry in collection.listed(day) if entry.kind == kind and not entry.is_konex
    ]
    if not codes and kind not in collection.cache.setdefault("warned of no list", set()):
        collection.cache["warned of no list"].add(kind)
        log.warning(NO_MASTER, source=collection.source.name, kind=kind)
    return codes
