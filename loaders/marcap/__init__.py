"""FinanceData/marcap: yearly parquet files of the whole market since 1995, delisted names included, without a key.

A year's file grows during the year, so each session of it is an answer of its own, with its own hash. README.md in this
folder says what the files hold and how they drift.
"""

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic_settings import SettingsConfigDict

from loaders import calendar
from loaders.collect import Collection
from loaders.config import PROJECT_ROOT, SourceSettings
from loaders.errors import AnswerRejectedError, RequestFailedError
from loaders.feeds import WHOLE_MARKET, Answer, Cell, Feed, Outcome, Service, Source, Status
from loaders.payload import file_to_table, sha256_of_rows, with_lineage

ENDPOINT = "daily"


class MarcapSettings(SourceSettings):
    """`MARCAP_BASE_URL`: https address or local folder of the yearly files; `MARCAP_REQUESTS_PER_MINUTE`."""

    model_config = SettingsConfigDict(env_prefix="MARCAP_")

    base_url: str = "https://raw.githubusercontent.com/FinanceData/marcap/master/data"
    requests_per_minute: float = 30

    @property
    def folder(self) -> Path | None:
        """The local folder of the files; None where they come from the web."""
        is_web = self.base_url.startswith(("http://", "https://"))
        return None if is_web else PROJECT_ROOT / self.base_url

    def what_is_wrong(self) -> str | None:
        """A folder that is not there, which else every session would be told of by itself."""
        if self.folder is None or self.folder.is_dir():
            return None
        return f"{self.variable('base_url')}={self.base_url} is no folder"


class _FileMissingError(Exception):
    """The year has no file."""


def _read_file(collection: Collection, name: str) -> bytes:
    """Content of a yearly file, from the web or a folder.

    Raises:
        _FileMissingError: there is no such file.
        RequestFailedError: the server cannot be reached, or the file not be opened.
    """
    settings = collection.settings
    assert isinstance(settings, MarcapSettings)
    if settings.folder is None:
        response = collection.send("GET", name)
        if response.status_code == 404:
            raise _FileMissingError
        if response.status_code != 200:
            raise RequestFailedError(f"HTTP {response.status_code} for {name}")
        return response.content
    collection.check_sample(is_sample=False)
    path = settings.folder / name
    if not path.is_file():
        raise _FileMissingError
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestFailedError(f"{path} cannot be opened: {error.strerror}") from None


def _parse(content: bytes) -> pa.Table:
    """Rows of a yearly file.

    Raises:
        AnswerRejectedError: no parquet file, or a damaged one.
    """
    try:
        return pq.read_table(io.BytesIO(content))
    # damage within a file is to the library a failure to read from a disk
    except (pa.ArrowException, OSError) as error:
        raise AnswerRejectedError(
            f"it is no whole parquet file ({error}); get it again from its publisher"
        ) from None


def _session_answer(
    collection: Collection, name: str, day: date, rows: pa.Table, fetched_at: datetime
) -> Answer:
    answer = collection.new_answer(ENDPOINT, {"file": name, "date": day.isoformat()})
    answer.fetched_at = fetched_at
    answer.payload_sha256, answer.byte_count = sha256_of_rows(rows)
    answer.tables = {ENDPOINT: with_lineage(rows, answer.fetch_id)}
    return answer


def _collect_year(collection: Collection, name: str, cells: Sequence[Cell]) -> Iterator[Outcome]:
    try:
        content = _read_file(collection, name)
        fetched_at = datetime.now(calendar.KST)
        rows, unknown = file_to_table(collection.table(ENDPOINT), _parse(content))
    except _FileMissingError:
        answer = collection.new_answer(ENDPOINT, {"file": name})
        yield Outcome(cells=cells, answers=[answer], status=Status.NOT_PUBLISHED)
        return
    except RequestFailedError as error:
        yield collection.failure(ENDPOINT, {"file": name}, cells, str(error))
        return
    except (AnswerRejectedError, pa.ArrowException) as error:
        outcome = collection.failure(
            ENDPOINT, {"file": name}, cells, f"{name} cannot be read: {error}"
        )
        collection.reject(outcome.answers[0], content)
        yield outcome
        return
    collection.warn_unknown(ENDPOINT, unknown)
    in_file = set(pc.unique(rows["date"]).to_pylist())
    for cell in cells:
        if cell.day in in_file:
            of_day = rows.filter(pc.equal(rows["date"], pa.scalar(cell.day)))
            answer = _session_answer(collection, name, cell.day, of_day, fetched_at)
            yield Outcome(cells=[cell], answers=[answer])
    missing = [cell for cell in cells if cell.day not in in_file]
    if missing:
        answer = collection.new_answer(
            ENDPOINT, {"file": name, "until": str(max(in_file, default=""))}
        )
        yield Outcome(cells=missing, answers=[answer], status=Status.NOT_PUBLISHED)
    # a day with prices that our calendar calls closed: one of the two is wrong, and somebody must look
    for day in sorted(in_file):
        if cells[0].day <= day <= cells[-1].day and not calendar.is_session(day):
            yield collection.failure(
                ENDPOINT,
                {"file": name},
                [Cell(day, WHOLE_MARKET)],
                f"{name} has prices on {day}, which is no session;"
                " correct seeds/calendar/trading_calendar_exceptions.csv or report the file",
            )


def _collect_daily(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """The yearly files, cut into sessions; sessions that a file does not hold are NOT_PUBLISHED."""
    by_year: dict[int, list[Cell]] = defaultdict(list)
    for cell in sorted(cells):
        by_year[cell.day.year].append(cell)
    for year, of_year in by_year.items():
        yield from _collect_year(collection, f"marcap-{year}.parquet", of_year)


SERVICE = Service(
    name="files",
    title="연간 파일 (yearly files)",
    settings=MarcapSettings,
    how_to_get="no key needed; MARCAP_BASE_URL may name a local folder with the yearly files",
    feeds=(
        Feed(
            name="daily",
            datasets=("ohlcv_daily", "market_cap_daily"),
            collect=_collect_daily,
            published_after_sessions=1,
            published_at=time(8, 0),
            since=date(1995, 5, 2),
            # a year of sessions is one file
            request_count=lambda cells: len({cell.day.year for cell in cells}),
        ),
    ),
)

SOURCE = Source(
    name="marcap",
    title="FinanceData/marcap (public yearly files)",
    services=(SERVICE,),
)
