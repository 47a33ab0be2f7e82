"""The exchange's index site: members of KOSPI 200 and KOSDAQ 150 by date, and the log of their changes.

A page made for people: a request needs the cookies of its screen and a one-time password that names the list wanted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import requests
from pydantic_settings import SettingsConfigDict

from loaders.blocks import is_block_page
from loaders.collect import Attempt, Collection, Question, ReadRecords
from loaders.config import SourceSettings
from loaders.errors import (
    AnswerRejectedError,
    HostBlockedError,
    LoaderError,
    RequestFailedError,
    SourceStoppedError,
)
from loaders.feeds import Cell, Feed, Outcome, Service, Status
from loaders.payload import parse_json

SCREEN = "/contents/MKD/03/0304/03040101/MKD03040101T3.jsp"
MEMBERS, CHANGES = "index_members", "index_changes"
BLDS = {
    MEMBERS: "/IDX/03/0304/03040101/mkd03040101T3_01",
    CHANGES: "/IDX/03/0304/03040101/mkd03040101T3_03",
}
ANSWERS = "contents/IDX/99/IDX99000001.jspx"
ONE_TIME_PASSWORD = re.compile(r"[^\s<>{}]{1,1024}")
"""One word: a page or an error is none."""

CHANGES_SUFFIX = ":CHANGES"
LOOK_BACK = timedelta(days=400)
"""How far before the newest collected log the next one begins: corrections within a year, and two regular reviews."""
LOOK_AHEAD = timedelta(days=60)
"""A regular review is announced about two weeks before it takes effect."""
REFUSALS_BEFORE_STOP = 3
"""Cells in a row without a one-time password after which the site is left alone for the run."""
MAY_SHRINK_BY = 0.2
COUNT_TOLERANCE = 0.05
"""An index of 200 had 201 members after split-offs; a list further away is another index's, or half a list."""

HOW_TO_GET = (
    "read the terms of the exchange's index site (loaders/krx/README.md), then set"
    " KRX_INDEX_BASE_URL=https://index.krx.co.kr"
)


@dataclass(frozen=True)
class Index:
    """An index as the site names it.

    Attributes:
        market_code: `ind_tp_cd`.
        code: `idx_ind_cd`.
        identity: `idx_id`.
        upper_code: `upmidCd` of its screen.
        member_count: that its members number.
        since: first day of the change log.
    """

    market_code: str
    code: str
    identity: str
    upper_code: str
    member_count: int
    since: date


INDEXES = {
    "KOSPI200": Index("1", "028", "K2G01P", "0102", 200, date(2000, 4, 12)),
    "KOSDAQ150": Index("2", "203", "Q5G01P", "0103", 150, date(2015, 7, 13)),
}


class KrxIndexSettings(SourceSettings):
    """`KRX_INDEX_BASE_URL` (unset: off), `KRX_INDEX_REQUESTS_PER_MINUTE` (one request a second)."""

    model_config = SettingsConfigDict(env_prefix="KRX_INDEX_")

    base_url: str = "https://index.krx.co.kr"
    requests_per_minute: float = 60


def _decode(body: bytes) -> str:
    """Text of an answer: UTF-8, older answers CP949."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return body.decode("cp949")
    except UnicodeDecodeError as error:
        raise AnswerRejectedError(
            f"the answer is neither UTF-8 nor CP949 (byte {error.start})"
        ) from None


def _refuse_block_page(text: str) -> None:
    if is_block_page(text):
        raise HostBlockedError(
            "the exchange's index site has blocked this address; it is left alone for a day"
        )


def _parse(body: bytes) -> Any:
    text = _decode(body)
    _refuse_block_page(text)
    return parse_json(text.encode())


def _check_status(status: int, body: bytes) -> None:
    if status == 403:
        raise HostBlockedError(
            "HTTP 403: the exchange's index site has blocked this address; it is left alone for a day"
        )
    if status == 429:
        raise HostBlockedError(
            "HTTP 429: the exchange's index site wants no more requests; it is left alone for a day"
        )
    _refuse_block_page(body.decode("utf-8", errors="replace"))


def _records(parsed: Any) -> list[Any]:
    if not isinstance(parsed, dict) or not isinstance(parsed.get("output"), list):
        raise AnswerRejectedError("krx index site: the answer has no list output")
    records: list[Any] = parsed["output"]
    return records


def _read_members(parsed: Any, name: str, *, is_sample: bool) -> list[Any]:
    """Members of an index; a list of another length than the index has is not believed."""
    records = _records(parsed)
    expected = INDEXES[name].member_count
    # the sample market has fewer members: there, only what the list was before tells
    is_far = abs(len(records) - expected) > COUNT_TOLERANCE * expected
    if records and is_far and not is_sample:
        raise AnswerRejectedError(
            f"krx index site: {len(records)} members for {name}, which has {expected}:"
            " half a list, or the list of another index"
        )
    return records


def _read_changes(parsed: Any, known: int) -> list[Any]:
    """Events of a change log; one that lost many of the `known` events of its range is not believed.

    One side of an event may be empty, but a side that no event has was renamed.
    """
    records = _records(parsed)
    if len(records) < (1 - MAY_SHRINK_BY) * known:
        raise AnswerRejectedError(
            f"krx index site: the change log shrank from {known} to {len(records)} events in the same days, which is"
            " not believed; if it is true, load again with ACCEPT_SHRUNK_LISTS=true"
        )
    for side in ("transschl_isu_cd", "excld_isu_cd"):
        if records and not any(isinstance(event, dict) and side in event for event in records):
            raise AnswerRejectedError(
                f"krx index site: field {side} is missing from every change; if the site renamed it, add the new name"
                " to models/staging/krx/_krx_index__sources.yml"
            )
    return records


def _refuse_status(response: requests.Response, what: str) -> None:
    """Raise for any status but 200 of an answer that is no data of its own."""
    if response.status_code != 200:
        _check_status(response.status_code, response.content)
        raise AnswerRejectedError(f"krx index site: {what}: HTTP {response.status_code}")


def _headers(collection: Collection) -> dict[str, str]:
    return {
        "Referer": collection.url(SCREEN.lstrip("/")),
        "X-Requested-With": "XMLHttpRequest",
    }


def _open_screen(collection: Collection, index: Index) -> None:
    """Get the cookies of the screen, once a run."""
    if "index_screen" in collection.cache:
        return
    response = collection.send(
        "GET",
        SCREEN.lstrip("/"),
        params={
            "upmidCd": index.upper_code,
            "idxCd": index.market_code + index.code,
            "idxId": index.identity,
        },
    )
    # a whole page made for people: by its status alone, its text may well speak of blocked pop-ups
    _refuse_status(response, "the screen")
    collection.cache["index_screen"] = True


def _one_time_password(collection: Collection, bld: str) -> str:
    response = collection.send(
        "GET",
        "contents/COM/GenerateOTP.jspx",
        params={"bld": bld, "name": "form"},
        headers=_headers(collection),
    )
    _refuse_status(response, "the one-time password")
    text = _decode(response.content).strip()
    _refuse_block_page(text)
    if not ONE_TIME_PASSWORD.fullmatch(text):
        raise AnswerRejectedError(
            f"krx index site: no one-time password came but {len(text)} characters that begin with {text[:20]!r};"
            " the site may be under maintenance"
        )
    return text


def _ask(
    collection: Collection,
    attempt: Attempt,
    endpoint: str,
    name: str,
    asked: dict[str, str],
    read_records: ReadRecords,
) -> None:
    """One list of the site: screen, one-time password, answer; what goes wrong stands in the attempt."""
    index = INDEXES[name]
    params = {
        "ind_tp_cd": index.market_code,
        "idx_ind_cd": index.code,
        "idx_id": index.identity,
        "lang": "ko",
        "pagePath": SCREEN,
        **asked,
    }
    noted = {"bld": BLDS[endpoint], "index_name": name}
    try:
        _open_screen(collection, index)
        password = _one_time_password(collection, BLDS[endpoint])
    except (AnswerRejectedError, RequestFailedError, SourceStoppedError) as error:
        attempt.fail(endpoint, params | noted, str(error))
        _note_refusal(collection, error)
        return
    answer = attempt.ask(
        Question(
            endpoint=endpoint,
            path=ANSWERS,
            params=params,
            headers=_headers(collection),
            read_records=read_records,
            parse=_parse,
            sent_as="form",
            noted=noted,
            unrecorded={"code": password},
        )
    )
    if answer.error:
        collection.cache.pop("index_screen", None)
    collection.cache["index_refusals"] = 0


def _note_refusal(collection: Collection, error: LoaderError) -> None:
    """A way that fails is tried with fresh cookies by the next cell, and left after a few."""
    collection.cache.pop("index_screen", None)
    refusals = collection.cache["index_refusals"] = collection.cache.get("index_refusals", 0) + 1
    if isinstance(error, SourceStoppedError) or refusals >= REFUSALS_BEFORE_STOP:
        collection.stop(error)


def _yyyymmdd(day: date) -> str:
    return day.strftime("%Y%m%d")


def _collect_members(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """Members of an index on a session."""
    for cell in cells:
        attempt = collection.attempt([cell])
        day = _yyyymmdd(cell.day)
        asked = {"compst_isu_tp": "1", "schdate": day, "fromdate": day, "todate": day}
        read = partial(_read_members, name=cell.scope, is_sample=collection.warehouse.is_sample)
        _ask(collection, attempt, MEMBERS, cell.scope, asked, read)
        # an index always has members: none means that the day is not there yet
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _newest_log(collection: Collection, scope: str) -> date | None:
    """Day of the newest change log in the ledger, or None: the first one is asked for whole."""
    row = collection.connection.execute(
        "select max(collection_date) from raw.fetch_cells where source = %s and dataset = 'index_components'"
        " and scope = %s and status = any(%s)"
        " and attempt_id not in (select attempt_id from raw.retracted_attempts)",
        (collection.source.name, scope, [str(Status.SUCCESS), str(Status.UNCHANGED)]),
    ).fetchone()
    return row[0] if row else None


def _known_events(collection: Collection, scope: str, start: date, end: date) -> int:
    """Events that the logs collected so far have within a range."""
    row = collection.connection.execute(
        """
        select count(distinct (logged.appl_dd, logged.transschl_isu_cd, logged.excld_isu_cd))
        from raw.fetch_cells as cells
        inner join raw.krx__index_changes as logged on cells.fetch_id = logged._fetch_id
        where cells.source = %s
            and cells.dataset = 'index_components'
            and cells.scope = %s
            and cells.status = any(%s)
            and cells.attempt_id not in (select attempt_id from raw.retracted_attempts)
            and translate(logged.appl_dd, '/-.', '') between %s and %s
        """,
        (
            collection.source.name,
            scope,
            [str(Status.SUCCESS), str(Status.UNCHANGED)],
            _yyyymmdd(start),
            _yyyymmdd(end),
        ),
    ).fetchone()
    return int(row[0]) if row else 0


def _collect_changes(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """The log of changes: whole at first, then from a look-back on; announced changes that lie ahead included."""
    for cell in cells:
        name = cell.scope.removesuffix(CHANGES_SUFFIX)
        newest = _newest_log(collection, cell.scope)
        first = INDEXES[name].since
        start = first if newest is None else max(first, newest - LOOK_BACK)
        end = cell.day + LOOK_AHEAD
        known = (
            0
            if collection.run.accept_shrunk_lists
            else _known_events(collection, cell.scope, start, end)
        )
        attempt = collection.attempt([cell])
        asked = {
            "compst_isu_tp": "2",
            "fromdate": _yyyymmdd(start),
            "todate": _yyyymmdd(end),
        }
        _ask(collection, attempt, CHANGES, name, asked, partial(_read_changes, known=known))
        # decades without a change cannot be; a year can
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED if start == first else Status.EMPTY)


def _indexes(_collection: Collection, day: date) -> list[str]:
    return [name for name, index in INDEXES.items() if day >= index.since]


def _logs(collection: Collection, day: date) -> list[str]:
    return [name + CHANGES_SUFFIX for name in _indexes(collection, day)]


def _request_count(cells: Sequence[Cell]) -> int:
    return 2 * len(cells)  # a one-time password each; the screen once a run


SERVICE = Service(
    name="index_site",
    title="지수 사이트 (index site)",
    settings=KrxIndexSettings,
    how_to_get=HOW_TO_GET,
    is_crawled=True,
    check_status=_check_status,
    is_final=lambda response: response.status_code == 429,
    feeds=(
        Feed(
            name="index_members",
            datasets=("index_components",),
            collect=_collect_members,
            scopes=_indexes,
            since=INDEXES["KOSPI200"].since,
            may_shrink_by=MAY_SHRINK_BY,
            request_count=_request_count,
        ),
        Feed(
            name="index_changes",
            datasets=("index_components",),
            collect=_collect_changes,
            scopes=_logs,
            since=INDEXES["KOSPI200"].since,
            latest_only=True,
            request_count=_request_count,
        ),
    ),
)
