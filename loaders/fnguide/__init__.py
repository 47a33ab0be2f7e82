"""에프앤가이드 (FnGuide): issued and free-float shares from the company page of each stock.

README.md in this folder says what the site offers and under which terms.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import time
from typing import Any

from bs4 import BeautifulSoup
from pydantic_settings import SettingsConfigDict

from loaders.collect import Collection, Question
from loaders.config import SourceSettings
from loaders.errors import AnswerRejectedError, HostBlockedError, SourceStoppedError
from loaders.feeds import Cadence, Cell, Collected, Feed, Outcome, Service, Source

ENDPOINT = "SVD_Main"
FLOAT_CELL = "유동주식수/비율(보통주)"

PRICE_DATE = re.compile(r"시세현황\s*\[\s*(\d{4}/\d{2}/\d{2})\s*\]")
FICS = re.compile(r"FICS\s+(\S[^\n|]*)")


class FnguideSettings(SourceSettings):
    """`FNGUIDE_BASE_URL` switches the source on; `FNGUIDE_REQUESTS_PER_MINUTE` is at most 60: a second between requests."""

    model_config = SettingsConfigDict(env_prefix="FNGUIDE_")

    base_url: str = "https://comp.fnguide.com"
    requests_per_minute: float = 40


def parse_page(body: bytes) -> BeautifulSoup:
    """Parse a page; the site writes UTF-8, older pages of it EUC-KR.

    Raises:
        AnswerRejectedError: neither of the two, or cut short. Never a page with characters that were guessed.
    """
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = body.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise AnswerRejectedError("fnguide: the page is neither UTF-8 nor EUC-KR")
    if "\x00" in text:
        raise AnswerRejectedError("fnguide: the page holds a NUL character")
    if "<html" in text.lower() and "</html" not in text.lower():
        raise AnswerRejectedError("fnguide: the page is cut short (no </html>)")
    return BeautifulSoup(text, "html.parser")


def _text(node: Any) -> str:
    return " ".join(node.get_text(" ").split())


def read_page(page: BeautifulSoup, code: str) -> list[dict[str, str]]:
    """The record of a stock: every cell of the table of market data by its label without spaces, and what stands around it.

    Args:
        page: as parsed.
        code: of the stock that was asked for.

    Returns:
        One record, or none where the page has no such company (preferred shares).

    Raises:
        AnswerRejectedError: the cells are not where they were, or the page is another company's.
    """
    name = page.find(id="giName")
    shown_code = re.search(r"\b[0-9][0-9A-Z]{5}\b", _text(name.parent)) if name else None
    if shown_code and shown_code.group() != code:
        raise AnswerRejectedError(f"fnguide: the page for {code} is that of {shown_code.group()}")
    label = next(
        (th for th in page.find_all("th") if "".join(_text(th).split()) == FLOAT_CELL), None
    )
    if label is None:
        has_no_company = name is not None and not _text(name)
        if has_no_company or not code.endswith("0"):  # common shares end in 0
            return []
        raise AnswerRejectedError(
            f"fnguide: the page of {code} has no cell {FLOAT_CELL}; the site may have changed its layout"
        )
    table = label.find_parent("table")
    record = {}
    for th in table.find_all("th") if table else []:
        value = th.find_next_sibling("td")
        if value is not None:
            record["".join(_text(th).split())] = _text(value)
    whole = page.get_text("\n")
    for column, found in (
        ("기준일", PRICE_DATE.search(whole)),
        ("FICS", FICS.search(whole)),
    ):
        if found:
            record[column] = found.group(1).strip()
    if name is not None:
        record["기업명"] = _text(name)
    return [record]


def _check_status(status: int, _body: bytes) -> None:
    if status in (401, 403):
        raise HostBlockedError(f"HTTP {status}: the site has blocked us")
    if status == 429:
        raise SourceStoppedError(
            "HTTP 429 again and again: lower FNGUIDE_REQUESTS_PER_MINUTE and run again later"
        )


def _stock_codes(collection: Collection, day: Any) -> list[str]:
    """Codes of the listed stocks; preferred shares have no page of their own."""
    return [
        entry.code
        for entry in collection.listed(day)
        if entry.kind == "STOCK" and entry.code.endswith("0")
    ]


def _collect(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    for cell in cells:
        code = cell.scope

        def read(page: BeautifulSoup, code: str = code) -> Sequence[Any]:
            return read_page(page, code)

        attempt = collection.attempt([cell])
        attempt.ask(
            Question(
                endpoint=ENDPOINT,
                path="SVO2/asp/SVD_Main.asp",
                params={"pGB": "1", "gicode": f"A{code}", "NewMenuID": "101", "stkGb": "701"},
                headers={},
                read_records=read,
                parse=parse_page,
            )
        )
        yield attempt.outcome()


SERVICE = Service(
    name="site",
    title="컴퍼니가이드 (Company Guide)",
    settings=FnguideSettings,
    how_to_get=(
        "read loaders/fnguide/README.md, then set FNGUIDE_BASE_URL=https://comp.fnguide.com to switch it on"
    ),
    is_crawled=True,
    check_status=_check_status,
    feeds=(
        Feed(
            name="company_page",
            datasets=("floating_shares",),
            collect=_collect,
            cadence=Cadence.WEEKLY,
            latest_only=True,
            published_at=time(19, 0),
            scopes=_stock_codes,
            takes_stock_codes=True,
            collected=Collected.SOURCE_NAMED,
        ),
    ),
)

SOURCE = Source(name="fnguide", title="에프앤가이드 (FnGuide)", services=(SERVICE,))
