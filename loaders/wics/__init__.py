"""와이즈인덱스 (WISEindex): WICS sectors and free-float shares, from the site's own lists.

A sector of the second level tells its first level by its code, so the 28 lists of the second level hold every name once. A
list of the first level is asked for only where one below it came empty: to tell a sector that was given up from an answer
that failed. README.md in this folder says what the site offers and under which terms.
"""

from collections.abc import Iterator, Sequence
from datetime import time
from typing import Any

from pydantic_settings import SettingsConfigDict

from loaders.collect import Attempt, Collection, Question
from loaders.config import SourceSettings
from loaders.errors import AnswerRejectedError, HostBlockedError, SourceStoppedError
from loaders.feeds import Answer, Cadence, Cell, Feed, Outcome, Service, Source, Status
from loaders.payload import as_count

COMPONENTS = "GetIndexComponets"
"""The vendor's own spelling."""
HEADER = "GetIndexComponets/info"

SECTORS = {
    "G10": ("G1010",),
    "G15": ("G1510",),
    "G20": ("G2010", "G2020", "G2030"),
    "G25": ("G2510", "G2520", "G2530", "G2550", "G2560"),
    "G30": ("G3010", "G3020", "G3030"),
    "G35": ("G3510", "G3520"),
    "G40": ("G4010", "G4020", "G4030", "G4040", "G4050"),
    "G45": ("G4510", "G4520", "G4530", "G4535", "G4540"),
    "G50": ("G5010", "G5020"),
    "G55": ("G5510",),
}
"""대분류 (first level) to 중분류 (second level)."""


class WicsSettings(SourceSettings):
    """`WICS_BASE_URL` switches the source on; `WICS_REQUESTS_PER_MINUTE` is at most 60: a second between requests."""

    model_config = SettingsConfigDict(env_prefix="WICS_")

    base_url: str = "https://www.wiseindex.com"
    requests_per_minute: float = 40


def _records(parsed: Any) -> dict[str, Sequence[Any]]:
    """The list and, beside it, its header record with what else the answer holds."""
    if not isinstance(parsed, dict) or not isinstance(parsed.get("list"), list):
        raise AnswerRejectedError("wics: the answer has no list `list`")
    components = parsed["list"]
    info = parsed.get("info") or {}
    if not isinstance(info, dict):
        raise AnswerRejectedError("wics: `info` is not an object")
    count = as_count(info.get("CNT"))
    # a list without any name is judged by its neighbours, see _gap
    if components and count is not None and count > len(components):
        raise AnswerRejectedError(
            f"wics: the list has {len(components)} of the {count} names that its header counts"
        )
    beside = {name: value for name, value in parsed.items() if name not in ("info", "list")}
    # a day without a list is told by the ledger; a header of nothing is no record
    return {COMPONENTS: components, HEADER: [info | beside] if components else []}


def _check_status(status: int, _body: bytes) -> None:
    if status in (401, 403):
        raise HostBlockedError(f"HTTP {status}: the site has blocked us")
    if status == 429:
        raise SourceStoppedError(
            "HTTP 429 again and again: lower WICS_REQUESTS_PER_MINUTE and run again later"
        )


def _ask(attempt: Attempt, cell: Cell, sector: str) -> Answer:
    return attempt.ask(
        Question(
            endpoint=COMPONENTS,
            path=f"Index/{COMPONENTS}",
            params={"ceil_yn": "0", "dt": cell.day.strftime("%Y%m%d"), "sec_cd": sector},
            headers={},
            read_records=_records,
        )
    )


def _collect(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """Every sector of a day in one attempt: one that failed must not look as if all its names had left."""
    for cell in cells:
        attempt = collection.attempt([cell])
        _ask_sectors(attempt, cell)
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def _ask_sectors(attempt: Attempt, cell: Cell) -> None:
    """Ask until something is wrong; nothing at all in the first sector means a day that is not there."""
    named_below: dict[str, bool] = {}
    for sector, parts in SECTORS.items():
        names: set[str] = set()
        has_empty_part = False
        for part in parts:
            answer = _ask(attempt, cell, part)
            if answer.error:
                return
            names |= set(answer.column("cmp_cd"))
            has_empty_part = has_empty_part or not answer.row_count
        if has_empty_part:
            whole = _ask(attempt, cell, sector)
            if whole.error or not attempt.row_count:
                return
            error = _gap(sector, names, set(whole.column("cmp_cd")))
            if error:
                attempt.fail(COMPONENTS, whole.request, error)
                return
        named_below[sector] = bool(names)
    if len(set(named_below.values())) > 1:
        lacking = ", ".join(sector for sector, has_names in named_below.items() if not has_names)
        attempt.fail(
            COMPONENTS,
            {"dt": cell.day.strftime("%Y%m%d")},
            f"{lacking} came without its second level while other sectors have one; run again later",
        )


def _gap(sector: str, below: set[str], whole: set[str]) -> str | None:
    """What the lists of a sector lack, where one below it came empty; None when nothing does."""
    if not whole:
        return f"the list of {sector} is empty while other sectors have names; run again later"
    if below and whole - below:
        return (
            f"{sector} has {len(whole - below)} names that none of its second-level lists has; run again later, and if it"
            " stays so add the new code to SECTORS in loaders/wics"
        )
    return None


SERVICE = Service(
    name="site",
    title="와이즈인덱스 (WISEindex)",
    settings=WicsSettings,
    how_to_get=(
        "read loaders/wics/README.md, then set WICS_BASE_URL=https://www.wiseindex.com to switch it on"
    ),
    is_crawled=True,
    check_status=_check_status,
    feeds=(
        Feed(
            name="components",
            datasets=("sectors", "floating_shares"),
            collect=_collect,
            cadence=Cadence.WEEKLY,
            published_after_sessions=1,
            published_at=time(8, 0),
            may_shrink_by=0.2,
            request_count=lambda cells: len(cells) * sum(map(len, SECTORS.values())),
        ),
    ),
)

SOURCE = Source(name="wics", title="와이즈인덱스 (WISEindex)", services=(SERVICE,))
