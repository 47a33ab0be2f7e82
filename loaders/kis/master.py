"""Master files of the broker: every security of a market with sectors and index flags, zipped, without a key.

A file is believed as a whole or not at all: a row of the wrong length or of the wrong shape means that what we read at a
position is not what the vendor wrote there.
"""

import codecs
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import time
from email.utils import parsedate_to_datetime
from functools import partial

from pydantic_settings import SettingsConfigDict

from loaders import calendar
from loaders.collect import Collection, Question
from loaders.config import SourceSettings
from loaders.contracts import RawTable
from loaders.errors import AnswerRejectedError
from loaders.feeds import Answer, Cell, Feed, Outcome, Service
from loaders.universe import current_fetches

# Widths in bytes of the fields in the order of the contract; of a security's row the part behind the name.
_SESSION = (9, 5, 5, 1, 1, 1, 2, 1, 1, 1, 2, 2, 2, 3, 1, 3, 12, 12, 8, 15, 21, 2, 7, 1, 1, 1, 1)
_ACCOUNTS = (9, 9, 9, 5, 9, 8, 9)
_SECTORS = (1, 4, 4, 4)
WIDTHS = {
    "kospi_code": (2, *_SECTORS, *(26 * [1]), *_SESSION, 1, *_ACCOUNTS, 3, 1, 1, 1),
    "kosdaq_code": (2, *_SECTORS, *(21 * [1]), *_SESSION, *_ACCOUNTS, 3, 1, 1, 1),
    "konex_code": (2, *_SESSION, *_ACCOUNTS, 1, 1, 1),
}
HEAD_WIDTHS = (9, 12, 40)
INDEX_WIDTHS = (1, 4, 40)

ENDPOINTS = {"KOSPI": "kospi_code", "KOSDAQ": "kosdaq_code", "KONEX": "konex_code"}
INDEX_ENDPOINT = "idxcode"

# A few fields from one end of the row to the other: where they hold what they should, the others stand in their places.
_SHAPES = {
    name: re.compile(pattern)
    for name, pattern in {
        "short_code": "[0-9A-Z]{6,9}",
        "korean_name": r"\S.*",
        "group_code": "[A-Z]{2}",
        "large_sector_code": "[0-9]{4}",
        "medium_sector_code": "[0-9]{4}",
        "small_sector_code": "[0-9]{4}",
        "base_price": " *[0-9]+",
        "trading_halt_yn": "[YN]",
        "liquidation_yn": "[YN]",
        "administrative_issue_yn": "[YN]",
        "listing_date": "([0-9]{8})?",
        "listed_shares_thousand": " *[0-9]+",
        "accounts_date": "([0-9]{8})?",
        "previous_market_cap": " *[0-9]*",
        "securities_lending_yn": "[YN]?",
        "market_code": "[0-9A-Z]",
        "index_code": "[0-9A-Z]{4}",
    }.items()
}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_ISIN = re.compile("[A-Z]{2}[0-9A-Z]{9}[0-9]")
_FALSE_ISINS_ALLOWED = 0.01
_LARGEST_FILE_BYTES = 50_000_000
"""Fifty times the largest file so far: a zip that unpacks to more is none of the vendor's."""


class KisMasterSettings(SourceSettings):
    """`KIS_MASTER_BASE_URL`, `KIS_MASTER_REQUESTS_PER_MINUTE`; no key."""

    model_config = SettingsConfigDict(env_prefix="KIS_MASTER_")

    base_url: str = "https://new.real.download.dws.co.kr"
    requests_per_minute: float = 30


def _unzip(endpoint: str, body: bytes) -> bytes:
    """The only member of a zip file.

    Raises:
        AnswerRejectedError: no zip file, a damaged one, or one with another number of members.
    """
    if body.lstrip()[:1] == b"<":
        raise AnswerRejectedError(
            f"{endpoint}: the answer is a web page, not a zip file: {body.strip()[:80]!r}"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise AnswerRejectedError(
                    f"{endpoint}: the zip file has {len(members)} members instead of one"
                )
            if members[0].file_size > _LARGEST_FILE_BYTES:
                raise AnswerRejectedError(
                    f"{endpoint}: the zip file unpacks to {members[0].file_size} bytes, which is no master file"
                )
            return archive.read(members[0])
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,  # a password is asked for
        NotImplementedError,  # a compression that the library does not know
    ) as error:
        raise AnswerRejectedError(
            f"{endpoint}: the answer is no readable zip file ({error})"
        ) from None


def _rows(endpoint: str, body: bytes) -> list[bytes]:
    """Rows of a file without line ends.

    Raises:
        AnswerRejectedError: there is none.
    """
    rows = [row.removesuffix(b"\r") for row in _unzip(endpoint, body).split(b"\n")]
    if rows[-1] == b"":
        rows.pop()
    if not rows:
        raise AnswerRejectedError(f"{endpoint}: the file is empty")
    return rows


def _widths(endpoint: str, rows: Sequence[bytes]) -> tuple[int, ...]:
    if endpoint == INDEX_ENDPOINT:
        return INDEX_WIDTHS
    head, tail = HEAD_WIDTHS, WIDTHS[endpoint]
    if endpoint == "konex_code":
        # the vendor describes this file from both ends and leaves the width of the name open
        head = (*HEAD_WIDTHS[:2], max(len(rows[0]) - sum(HEAD_WIDTHS[:2]) - sum(tail), 1))
    return (*head, *tail)


def _decode(value: bytes, *, may_be_cut: bool) -> str:
    """Text of one field; of a name that fills its field the vendor may have cut the last character in two."""
    decoder = codecs.getincrementaldecoder("cp949")()
    return decoder.decode(value, final=not may_be_cut).rstrip(" ")


def _is_isin(text: str) -> bool:
    """Whether the check digit fits: letters count 10 to 35, then Luhn's rule (ISO 6166)."""
    if not _ISIN.fullmatch(text):
        return False
    digits = "".join(str(int(character, 36)) for character in text)
    doubled = (
        int(digit) * (2 if position % 2 else 1) for position, digit in enumerate(reversed(digits))
    )
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _record(layout: struct.Struct, names: Sequence[str], row: bytes) -> dict[str, str]:
    """One row as a record.

    Raises:
        ValueError: the row does not have the vendor's layout; says why.
    """
    if len(row) != layout.size:
        start = row[:40].decode("cp949", "backslashreplace").rstrip()
        raise ValueError(f"has {len(row)} bytes instead of {layout.size}: {start!r}")
    record = {}
    for name, value in zip(names, layout.unpack(row), strict=True):
        try:
            record[name] = _decode(value, may_be_cut=name in ("korean_name", "index_name"))
        except UnicodeDecodeError:
            raise ValueError(f"field {name} is not CP949: {value!r}") from None
        if _UNPRINTABLE.search(record[name]):
            raise ValueError(f"field {name} holds a control character: {value!r}")
        shape = _SHAPES.get(name)
        if shape and not shape.fullmatch(record[name]):
            raise ValueError(
                f"field {name} holds {record[name]!r}, so the layout is not the one we know"
            )
    return record


def read_master(table: RawTable, key: Sequence[str], body: bytes) -> list[dict[str, str]]:
    """Records of a zipped master file.

    Args:
        table: the field contract; its columns stand in the order of the file.
        key: columns that tell two records apart.
        body: the answer.

    Returns:
        One record a row, column to text without the blanks that fill the field up.

    Raises:
        AnswerRejectedError: the file is not whole, or not in the vendor's layout; says which row and why.
    """
    rows = _rows(table.endpoint, body)
    layout = struct.Struct("".join(f"{width}s" for width in _widths(table.endpoint, rows)))
    names = [field.column for field in table.fields]
    records: list[dict[str, str]] = []
    first_rows: dict[tuple[str, ...], int] = {}
    false_isins: list[int] = []
    for number, row in enumerate(rows, start=1):
        try:
            record = _record(layout, names, row)
        except ValueError as error:
            raise AnswerRejectedError(
                f"{table.endpoint}: row {number} of {len(rows)} {error}; the whole file is refused"
            ) from None
        first = first_rows.setdefault(tuple(record[name] for name in key), number)
        if first != number and records[first - 1] != record:
            raise AnswerRejectedError(
                f"{table.endpoint}: rows {first} and {number} both are {' '.join(record[name] for name in key)!r}"
                " with different values; the whole file is refused"
            )
        if "isin" in record and not _is_isin(record["isin"]):
            false_isins.append(number)
        records.append(record)
    if len(false_isins) > _FALSE_ISINS_ALLOWED * len(rows):
        raise AnswerRejectedError(
            f"{table.endpoint}: {len(false_isins)} of {len(rows)} ISINs have a wrong check digit, the first in row"
            f" {false_isins[0]} ({records[false_isins[0] - 1]['isin']!r}); the whole file is refused"
        )
    return records


def _modified_at(answer: Answer) -> str | None:
    """When the vendor last wrote the file, in KST, where the server says so."""
    header = answer.headers.get("Last-Modified")
    if not header:
        return None
    try:
        return parsedate_to_datetime(header).astimezone(calendar.KST).isoformat()
    except (ValueError, OverflowError):
        return None


def _collect(
    collection: Collection,
    cells: Sequence[Cell],
    endpoint_of: Callable[[str], str],
    key: tuple[str, ...],
) -> Iterator[Outcome]:
    for cell in cells:
        endpoint = endpoint_of(cell.scope)
        table = collection.table(endpoint)
        attempt = collection.attempt([cell])
        answer = attempt.ask(
            Question(
                endpoint=endpoint,
                path=f"common/master/{endpoint}.mst.zip",
                params={},
                headers={},
                parse=partial(read_master, table, key),
                read_records=lambda records: records,
                noted={"file": f"{endpoint}.mst.zip", "session": cell.day.isoformat()},
            )
        )
        if modified_at := _modified_at(answer):
            answer.request["modified_at"] = modified_at
        yield attempt.outcome()


def _collect_securities(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`kospi_code`, `kosdaq_code`, `konex_code`: one market's securities."""
    return _collect(collection, cells, ENDPOINTS.__getitem__, ("short_code",))


def _collect_indices(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`idxcode`: names of sectors and indices."""
    return _collect(collection, cells, lambda _scope: INDEX_ENDPOINT, ("market_code", "index_code"))


LISTINGS = " union all ".join(
    f"""
    select
        case when group_code = 'EN' then ltrim(short_code, 'Q') else short_code end,
        isin,
        case when group_code in ('EF', 'FE') then 'ETF' when group_code = 'EN' then 'ETN' else 'STOCK' end,
        {endpoint == "konex_code"},
        nullif(listing_date, ''),
        null
    from raw.kis__{endpoint}
    where
        group_code not in ('EW', 'SW', 'SR', 'BC')
        and _fetch_id in ({current_fetches("kis", "stocks")})
    """  # noqa: S608 - names of our own tables
    for endpoint in ENDPOINTS.values()
)
"""Securities of the newest files, for `loaders.universe`; ELWs, warrants, rights and fund certificates are none."""

# written several times between early morning and evening; at the opening the session's names, flags and base prices stand
_OPENING = time(9, 0)

SERVICE = Service(
    name="master",
    title="종목 마스터 파일 (master files)",
    settings=KisMasterSettings,
    how_to_get="no key needed",
    feeds=(
        Feed(
            name="securities",
            datasets=("stocks", "sectors", "index_components"),
            collect=_collect_securities,
            latest_only=True,
            published_at=_OPENING,
            scopes=lambda _collection, _day: ("KOSPI", "KOSDAQ"),
            may_shrink_by=0.2,
        ),
        Feed(
            name="konex_securities",
            datasets=("stocks",),
            collect=_collect_securities,
            latest_only=True,
            published_at=_OPENING,
            scopes=lambda _collection, _day: ("KONEX",),
            may_shrink_by=0.2,
        ),
        Feed(
            name="sector_names",
            datasets=("sectors",),
            collect=_collect_indices,
            latest_only=True,
            published_at=_OPENING,
            scopes=lambda _collection, _day: ("NAMES",),
            may_shrink_by=0.2,
        ),
    ),
)
