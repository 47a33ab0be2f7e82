"""The exchange's public site open.krx.co.kr: its list of market holidays by year.

A query takes a one-time password that the site gives out for it.
"""

from collections.abc import Iterator, Sequence
from datetime import date, time
from typing import Any

from pydantic_settings import SettingsConfigDict

from loaders.collect import Collection, Question
from loaders.config import SourceSettings
from loaders.errors import AnswerRejectedError, HostBlockedError, RequestFailedError
from loaders.feeds import Cadence, Cell, Feed, Outcome, Service, Status

VENDOR_URL = "https://open.krx.co.kr"
ENDPOINT = "mkd01100305_01"
BLD = "MKD/01/0110/01100305/mkd01100305_01"
PAGE = "/contents/MKD/01/0110/01100305/MKD01100305.jsp"
PASSWORD_PATH = "contents/COM/GenerateOTP.jspx"  # noqa: S105 - a path
DATA_PATH = "contents/OPN/99/OPN99000001.jspx"
USER_AGENT = "Mozilla/5.0 (compatible; korean-market-warehouse)"


class KrxOpenSiteSettings(SourceSettings):
    """`KRX_OPEN_BASE_URL`, `KRX_OPEN_REQUESTS_PER_MINUTE` (one request in two seconds)."""

    model_config = SettingsConfigDict(env_prefix="KRX_OPEN_")

    base_url: str = VENDOR_URL
    requests_per_minute: float = 30


def _check_status(status: int, _body: bytes) -> None:
    if status == 403:
        raise HostBlockedError(
            "HTTP 403: open.krx.co.kr has blocked this address; it is left alone for a day"
        )


def _records(parsed: Any) -> Sequence[Any]:
    if not isinstance(parsed, dict) or not isinstance(parsed.get("block1"), list):
        raise AnswerRejectedError("krx: the list of holidays has no list block1")
    records: Sequence[Any] = parsed["block1"]
    return records


def _one_time_password(collection: Collection, headers: dict[str, str]) -> str:
    """A password for one query.

    Raises:
        HostBlockedError: HTTP 403.
        AnswerRejectedError: the site gives none.
        RequestFailedError: no answer.
    """
    response = collection.send(
        "GET", PASSWORD_PATH, params={"bld": BLD, "name": "form"}, headers=headers
    )
    _check_status(response.status_code, response.content)
    password = response.text.strip()
    if response.status_code != 200 or not password or password.startswith("<"):
        raise AnswerRejectedError(
            f"HTTP {response.status_code}: open.krx.co.kr gives no one-time password: {password[:60]!r}"
        )
    return password


def _collect_holidays(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """Weekdays of a year on which the market is closed; the scope is the year."""
    base_url = collection.settings.base_url.rstrip("/")
    headers = {"User-Agent": USER_AGENT, "Referer": f"{base_url}{PAGE}"}
    for cell in cells:
        attempt = collection.attempt([cell])
        asked = {"search_bas_yy": cell.scope, "gridTp": "KRX", "pagePath": PAGE}
        try:
            password = _one_time_password(collection, headers)
        except HostBlockedError as error:
            collection.stop(error)
            attempt.fail(ENDPOINT, asked, str(error))
        except (AnswerRejectedError, RequestFailedError) as error:
            attempt.fail(ENDPOINT, asked, str(error))
        else:
            attempt.ask(
                Question(
                    endpoint=ENDPOINT,
                    path=DATA_PATH,
                    params=asked,
                    unrecorded={"code": password},
                    headers=headers | {"X-Requested-With": "XMLHttpRequest"},
                    read_records=_records,
                    sent_as="form",
                )
            )
        # no year is without a holiday: an empty list has not been made yet
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


SERVICE = Service(
    name="open_site",
    title="휴장일 (holidays of the public site)",
    settings=KrxOpenSiteSettings,
    how_to_get=f"no log-in; switch it on with KRX_OPEN_BASE_URL={VENDOR_URL}",
    is_crawled=True,
    check_status=_check_status,
    feeds=(
        Feed(
            name="holidays",
            datasets=("trading_calendar",),
            collect=_collect_holidays,
            cadence=Cadence.MONTHLY,
            published_at=time(8, 0),
            scopes=lambda _collection, day: (str(day.year),),
            since=date(2009, 1, 1),
        ),
    ),
)
