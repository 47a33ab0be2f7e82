"""What a load has received and not yet written: so that a killed load goes on where it stopped.

An answer is kept here, as it came, until the transaction that writes it into the ledger takes it out. What the next load
finds is what a killed one left: the same question for the same cells is answered from here, once, with the time at which
the vendor gave the answer. Nothing else is read from this table, and what is older than `KEPT_FOR` is thrown away.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.types.json import Json
from requests.structures import CaseInsensitiveDict

KEPT_FOR = timedelta(hours=6)
"""Longer than any load takes that the same day's next one would resume; the vendor may correct a day after that."""

SECRET_HEADERS = ("set-cookie",)


def key_of(*told: object) -> bytes:
    """Identity of a question: a hash of all that tells it from another one."""
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, default=str).encode()).digest()


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
    """The answers of one service that are not in the ledger yet.

    Made while the load has its turn at the service, so what is found then belongs to no other load. Threads may share it.
    """

    def __init__(self, connection: psycopg.Connection, service: str) -> None:
        self._connection = connection
        self._service = service
        connection.execute(
            "delete from ops.received_answers where service = %s and received_at < now() - %s",
            (service, KEPT_FOR),
        )
        found = connection.execute(
            "select question_sha256 from ops.received_answers where service = %s", (service,)
        )
        self._left_over = {bytes(key) for (key,) in found}

    def take(self, key: bytes) -> Received | None:
        """The answer that an earlier load received to a question, the first time that it is asked for."""
        if key not in self._left_over:
            return None
        self._left_over.discard(key)
        row = self._connection.execute(
            "select payload, headers, received_at from ops.received_answers where question_sha256 = %b",
            (key,),
        ).fetchone()
        return Received(bytes(row[0]), CaseInsensitiveDict(row[1]), row[2]) if row else None

    def keep(self, key: bytes, content: bytes, headers: Mapping[str, str]) -> None:
        """Keep an answer until it is in the ledger."""
        kept = {n: value for n, value in headers.items() if n.lower() not in SECRET_HEADERS}
        self._connection.execute(
            "insert into ops.received_answers (question_sha256, service, headers, payload)"
            " values (%b, %s, %s, %b) on conflict (question_sha256) do update set"
            " received_at = excluded.received_at, headers = excluded.headers, payload = excluded.payload",
            (key, self._service, Json(kept), content),
        )


def forget(connection: psycopg.Connection, keys: Iterable[bytes]) -> None:
    """Take answers out that the transaction at hand writes into the ledger."""
    connection.execute(
        "delete from ops.received_answers where question_sha256 = any(%s)", (list(keys),)
    )
