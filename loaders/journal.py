"""What a load has received and not yet written: so that a killed load goes on where it stopped.

An answer is kept here, as it came, until the ledger has it. What the next load finds is what a killed one left: the same
question about the same cells is answered from here, once, with the time at which the vendor gave the answer. Nothing else is
read from here, and what is older than `KEPT_FOR` is thrown away.

A file for each answer, beside the tokens, and no table of the warehouse: it costs a page a tenth of a millisecond (a table
or SQLite: a whole one), and a loss costs no more than asking again. The ledger decides: what it has is removed at the start,
however a load ended.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import structlog
from requests.structures import CaseInsensitiveDict

from loaders.config import PROJECT_ROOT

FOLDER = PROJECT_ROOT / ".cache" / "received"
KEPT_FOR = timedelta(hours=6)
"""Longer than what the same day's next load would resume; after a day the vendor may have corrected it."""

SECRET_HEADERS = ("set-cookie",)

log = structlog.get_logger()


def key_of(*told: object) -> str:
    """Identity of a question: a hash of all that tells it from another one."""
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, default=str).encode()).hexdigest()


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


class Journal:
    """The answers of one service that are not in the ledger yet; threads may share it.

    Made while the load has its turn at the service, so what is found then belongs to no load that still runs. A folder that
    cannot be written costs the resumption, not the load.
    """

    def __init__(self, connection: psycopg.Connection, service: str) -> None:
        row = connection.execute("select created_at from ops.warehouse").fetchone()
        server = connection.info
        place = f"{server.host}|{server.port}|{server.dbname}|{row}"
        name = f"{service}-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
        self._folder = FOLDER / name
        self._left_over: dict[str, Path] = {}
        self._has_failed = False
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _remove_old()
            self._left_over = self._still_missing(connection)
        except OSError as error:
            self._give_up(error)

    def _still_missing(self, connection: psycopg.Connection) -> dict[str, Path]:
        """Files by key of the answers that the ledger lacks; the others are removed, and what a kill left half written."""
        found = {int(path.suffix[1:]): path for path in self._folder.glob("*.*[0-9]")}
        written = connection.execute(
            "select fetch_id from raw.fetches where fetch_id = any(%s)", (list(found),)
        )
        self._remove(found.pop(fetch_id) for (fetch_id,) in written.fetchall())
        self._remove(self._folder.glob("*.part"))
        return {path.stem: path for path in found.values()}

    def take(self, key: str, fetch_id: int) -> Received | None:
        """The answer that a killed load received to a question, the first time that it is asked for.

        It stays in the journal as the answer `fetch_id` of this load.
        """
        path = self._left_over.pop(key, None)
        if path is None:
            return None
        try:
            about, content = path.read_bytes().split(b"\n", 1)
            path.rename(self._path(key, fetch_id))
        except (OSError, ValueError) as error:
            self._give_up(error)
            return None
        told = json.loads(about)
        return Received(
            content,
            CaseInsensitiveDict(told["headers"]),
            datetime.fromisoformat(told["received_at"]),
        )

    def keep(
        self, key: str, fetch_id: int, received_at: datetime, content: bytes, headers: Mapping[str, str]
    ) -> None:  # fmt: skip
        """Keep an answer until the ledger has it."""
        if self._has_failed:
            return
        kept = {n: value for n, value in headers.items() if n.lower() not in SECRET_HEADERS}
        about = json.dumps({"received_at": received_at.isoformat(), "headers": kept})
        path = self._path(key, fetch_id)
        part = path.with_suffix(".part")
        try:
            part.write_bytes(about.encode() + b"\n" + content)
            part.rename(path)
        except OSError as error:
            self._give_up(error)

    def forget(self, answers: Iterable[tuple[str, int]]) -> None:
        """Remove what the ledger has, by key and fetch id."""
        self._remove(self._path(key, fetch_id) for key, fetch_id in answers)

    def close(self) -> None:
        """Remove the folder, if nothing is left in it."""
        with suppress(OSError):
            self._folder.rmdir()

    def _path(self, key: str, fetch_id: int) -> Path:
        return self._folder / f"{key}.{fetch_id}"

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except (
                OSError
            ) as error:  # the ledger has it, or its half is of no use: the next load tries again
                self._give_up(error)
                return

    def _give_up(self, error: Exception) -> None:
        if not self._has_failed:
            log.warning(
                "a load that is killed will not be resumed", folder=str(FOLDER), error=str(error)
            )
        self._has_failed = True


def _remove_old() -> None:
    """What is older than it may be, of databases that are gone, too."""
    oldest = time.time() - KEPT_FOR.total_seconds()
    for folder in FOLDER.iterdir():
        for path in folder.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
