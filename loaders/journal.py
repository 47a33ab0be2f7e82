"""What a load has received and not yet written: so that a killed load goes on where it stopped.

An answer is kept here, as it came, until the ledger has it. What the next load finds is what a killed one left: the same
question about the same cells is answered from here, once, with the time at which the vendor gave the answer. Nothing else is
read from here, and what is older than `KEPT_FOR` is thrown away.

Files that grow at their end, beside the tokens, and no table of the warehouse: a page costs them one write (a table, SQLite or
a file for each answer: a millisecond), and a loss costs no more than asking again. The ledger decides: what it has is never
taken from here, however a load ended.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import orjson
import psycopg
import structlog
from requests.structures import CaseInsensitiveDict

from loaders.calendar import KST
from loaders.config import PROJECT_ROOT

FOLDER = PROJECT_ROOT / ".cache" / "received"
KEPT_FOR = timedelta(hours=6)
"""Longer than what the same day's next load would resume; after a day the vendor may have corrected it."""

SECRET_HEADERS = ("set-cookie",)
ANSWERS_PER_FILE = 64
LEFT_OVER = "left-over"

log = structlog.get_logger()


def key_of(*told: object) -> str:
    """Identity of a question: a hash of all that tells it from another one."""
    return hashlib.sha256(orjson.dumps(told, default=str)).hexdigest()


@dataclass(frozen=True)
class Received:
    """An answer as it came.

    Attributes:
        content: its body.
        headers: without cookies.
        received_at: when it came.
    """

    content: bytes
    headers: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True)
class _Entry:
    """One answer in a file: a line about it, then its body."""

    path: Path
    offset: int
    size: int
    key: str
    fetch_id: int
    received_at: datetime
    headers: Mapping[str, str]

    def content(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def folder_of(connection: psycopg.Connection, service: str) -> Path:
    """Where the answers of a service wait for one database: another one of the same name has a folder of its own."""
    row = connection.execute("select created_at from ops.warehouse").fetchone()
    server = connection.info
    place = f"{server.host}|{server.port}|{server.dbname}|{row}"
    return FOLDER / f"{service}-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


class Journal:
    """The answers of one service that are not in the ledger yet; threads may share it.

    Made while the load has its turn at the service, so what is found then belongs to no load that still runs. A folder that
    cannot be written costs the resumption, not the load.
    """

    def __init__(self, connection: psycopg.Connection, service: str) -> None:
        self._folder = folder_of(connection, service)
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._pending: dict[Path, set[int]] = {}
        self._left_over: dict[str, _Entry] = {}
        self._old: list[Path] = []
        self._count = 0
        self._has_taken = False
        self._has_failed = False
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _remove_old()
            self._old = sorted(self._folder.iterdir())
            self._left_over = _missing(self._old, connection)
        except OSError as error:
            self._give_up(error)

    def take(self, key: str, fetch_id: int) -> Received | None:
        """The answer that a killed load received to a question, the first time that it is asked for.

        It stays in the journal as the answer `fetch_id` of this load.
        """
        with self._lock:
            entry = self._left_over.pop(key, None)
            self._has_taken = self._has_taken or entry is not None
        if entry is None:
            return None
        content = entry.content()
        self.keep(key, fetch_id, entry.received_at, content, entry.headers)
        return Received(content, CaseInsensitiveDict(entry.headers), entry.received_at)

    def keep(
        self, key: str, fetch_id: int, received_at: datetime, content: bytes, headers: Mapping[str, str]
    ) -> None:  # fmt: skip
        """Keep an answer until the ledger has it."""
        kept = {n: value for n, value in headers.items() if n.lower() not in SECRET_HEADERS}
        written = _written(key, fetch_id, received_at, content, kept)
        with self._lock:
            if self._has_failed:
                return
            try:
                file, waiting = self._begin(fetch_id)
                # one write, unbuffered: what a process has written outlives it
                file.write(written)
                waiting.add(fetch_id)
            except OSError as error:
                self._give_up(error)

    def _begin(self, fetch_id: int) -> tuple[BinaryIO, set[int]]:
        """The file that is written to, and what waits in it; every so many answers a new one, named by its first."""
        if self._file and self._count < ANSWERS_PER_FILE:
            self._count += 1
            return self._file, self._pending[next(reversed(self._pending))]
        if self._file:
            self._file.close()
        path = self._folder / f"{fetch_id:020d}"
        self._file = path.open("ab", buffering=0)
        self._pending[path] = set()
        self._count = 1
        return self._file, self._pending[path]

    def forget(self, fetch_ids: Iterable[int]) -> None:
        """Remove what the ledger has: a file goes when none of its answers is waited for."""
        gone = set(fetch_ids)
        with self._lock:
            newest = next(reversed(self._pending), None)
            for path, waiting in list(self._pending.items()):
                waiting.difference_update(gone)
                if not waiting and path != newest:
                    del self._pending[path]
                    path.unlink(missing_ok=True)

    def close(self, *, is_written: bool) -> None:
        """End; when all is written, what is left is what killed loads have received of other feeds and cells."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None
            if not is_written:
                return
            try:
                for path in self._pending:
                    path.unlink(missing_ok=True)
                if self._has_taken or not self._left_over:
                    self._pack_left_over()
            except OSError as error:
                self._give_up(error)
            with suppress(OSError):
                self._folder.rmdir()

    def _pack_left_over(self) -> None:
        """Leave nothing of the killed loads but what was not taken: the rest is in the ledger under other numbers."""
        packed = self._folder / LEFT_OVER
        part = packed.with_suffix(".part")
        with part.open("wb") as file:
            for entry in self._left_over.values():
                file.write(
                    _written(
                        *(entry.key, entry.fetch_id, entry.received_at),
                        *(entry.content(), entry.headers),
                    )
                )
        part.rename(packed)
        for path in self._old:
            if path != packed:
                path.unlink(missing_ok=True)
        if not self._left_over:
            packed.unlink()

    def _give_up(self, error: Exception) -> None:
        if not self._has_failed:
            log.warning(
                "a load that is killed will not be resumed", folder=str(FOLDER), error=str(error)
            )
        self._has_failed = True


def _written(
    key: str, fetch_id: int, received_at: datetime, content: bytes, headers: Mapping[str, str]
) -> bytes:
    """An answer as it stands in a file."""
    about = {
        "key": key,
        "fetch_id": fetch_id,
        "received_at": received_at.isoformat(),
        "size": len(content),
        "headers": dict(headers),
    }
    return b"%b\n%b" % (orjson.dumps(about), content)


def _entries(path: Path) -> Iterator[_Entry]:
    """The answers in a file, up to where a kill has cut it."""
    end = path.stat().st_size
    with path.open("rb") as file:
        while line := file.readline():
            try:
                about = json.loads(line)
            except ValueError:
                return
            offset, size = file.tell(), int(about["size"])
            if offset + size > end:
                return
            received_at = datetime.fromisoformat(about["received_at"])
            yield _Entry(
                path, offset, size, about["key"], about["fetch_id"], received_at, about["headers"]
            )
            file.seek(offset + size)


def _missing(paths: Iterable[Path], connection: psycopg.Connection) -> dict[str, _Entry]:
    """By key, the newest answers that the ledger lacks, under whichever number a load has had them."""
    found = [entry for path in paths for entry in _entries(path)]
    rows = connection.execute(
        "select fetch_id from raw.fetches where fetch_id = any(%s)",
        ([entry.fetch_id for entry in found],),
    )
    written = {fetch_id for (fetch_id,) in rows}
    settled = {entry.key for entry in found if entry.fetch_id in written}
    return {
        entry.key: entry
        for entry in sorted(found, key=lambda entry: entry.fetch_id)
        if entry.key not in settled and datetime.now(KST) - entry.received_at < KEPT_FOR
    }


def _remove_old() -> None:
    """Files that are older than they may be, of databases that are gone, too."""
    oldest = time.time() - KEPT_FOR.total_seconds()
    for folder in FOLDER.iterdir():
        for path in folder.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
