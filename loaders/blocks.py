"""The circuit breaker: a host that blocked us is left alone for a day, by every process.

A block by the exchange's sites lasts about a day, and every request during it prolongs it.
"""

import re
from datetime import datetime
from urllib.parse import urlparse

import psycopg

from loaders.calendar import KST

SIGNS = re.compile(r"forbidden|access denied|blocked|차단|비정상적인 접근", re.IGNORECASE)
POP_UPS = re.compile(
    r"(팝업|pop-?up)[^<>.\n]{0,40}?(차단|block(ed|ing)?)|(차단|block(ed|ing)?)[^<>.\n]{0,40}?(팝업|pop-?up)",
    re.IGNORECASE,
)
"""Pages for people ask for pop-ups to be let through: that speaks of the reader's browser."""


def is_block_page(text: str) -> bool:
    """Whether an answer that should be none is a page that speaks of a block."""
    return text.lstrip().startswith("<") and bool(SIGNS.search(POP_UPS.sub("", text)))


def _host(base_url: str) -> str:
    return urlparse(base_url).netloc or base_url


def record(connection: psycopg.Connection, base_url: str, reason: str) -> None:
    """Note that a host has blocked us now."""
    connection.execute(
        "insert into ops.host_blocks (host, blocked_at, blocked_until, reason)"
        " values (%s, now(), now() + interval '24 hours', %s)",
        (_host(base_url), reason),
    )


def blocked_until(connection: psycopg.Connection, base_url: str) -> datetime | None:
    """When a host may be asked again, in KST; None when it may be now."""
    row = connection.execute(
        "select max(blocked_until) from ops.host_blocks where host = %s and blocked_until > now()",
        (_host(base_url),),
    ).fetchone()
    return row[0].astimezone(KST) if row and row[0] else None
