"""Access tokens of brokers: asked for once, kept for their life, shared by every process of this clone.

A token file is readable by its owner only and lies in a folder that git ignores. Brokers refuse a second token within a
minute, so a refused or expired token is replaced no sooner than `minimum_interval_seconds` after the last request for one,
whichever process made it.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock

from loaders.config import PROJECT_ROOT
from loaders.errors import SourceStoppedError

FOLDER = PROJECT_ROOT / ".cache" / "tokens"
SAFETY_MARGIN = timedelta(minutes=10)
"""A token this close to its end is replaced, so that it lasts for the requests at hand."""


@dataclass(frozen=True)
class Token:
    """An access token and the moment after which the vendor refuses it."""

    value: str
    expires_at: datetime


class TokenStore:
    """The token of one account at one host.

    Args:
        base_url: of the service.
        account: what tells accounts apart (the application key); only its hash is stored.
        issue: asks the vendor for a token; raises SourceStoppedError where it is refused.
        minimum_interval_seconds: between two requests for a token.
    """

    def __init__(
        self,
        base_url: str,
        account: str,
        issue: Callable[[], Token],
        minimum_interval_seconds: float,
    ) -> None:
        name = hashlib.sha256(f"{base_url}|{account}".encode()).hexdigest()[:24]
        self._path = FOLDER / f"{name}.json"
        self._lock = threading.Lock()
        self._value: str | None = None
        self._refusal: SourceStoppedError | None = None
        self._issue = issue
        self._minimum_interval = minimum_interval_seconds

    def get(self, *, refused: str | None = None) -> str:
        """The token, from the file or new from the vendor; threads that share the store ask for it once.

        Args:
            refused: a token that the vendor has just refused; the file's is used only if it is another one.

        Raises:
            SourceStoppedError: the vendor gives none, or the token file cannot be written.
        """
        with self._lock:
            if self._refusal:
                raise self._refusal  # another thread was given none
            if self._value is None or self._value == refused:
                try:
                    self._value = self._shared(refused)
                except SourceStoppedError as error:
                    self._refusal = error
                    raise
            return self._value

    def _shared(self, refused: str | None) -> str:
        """The token that all processes of this clone share."""
        try:
            FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self._path.with_suffix(".lock"), timeout=300):
                return self._get(refused)
        except OSError as error:
            raise SourceStoppedError(
                f"the token file {self._path} cannot be used ({error.strerror or error}); make its folder writable"
            ) from None

    def _get(self, refused: str | None) -> str:
        stored = self._read()
        value = str(stored.get("value", ""))
        if value and value != refused:
            expires_at = datetime.fromisoformat(str(stored["expires_at"]))
            if datetime.now(UTC) < expires_at - SAFETY_MARGIN:
                return value
        wait = float(str(stored.get("asked_at", 0))) + self._minimum_interval - time.time()
        if wait > 0:
            time.sleep(min(wait, self._minimum_interval))
        # written before asking: a process that dies in between must not let the next one ask at once
        self._write({"asked_at": time.time()})
        token = self._issue()
        self._write(
            {
                "value": token.value,
                "expires_at": token.expires_at.astimezone(UTC).isoformat(),
                "asked_at": time.time(),
            }
        )
        return token.value

    def _read(self) -> dict[str, object]:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}  # never asked, or cut short by a crash: ask anew
        return stored if isinstance(stored, dict) else {}

    def _write(self, content: dict[str, object]) -> None:
        part = Path(f"{self._path}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file)
        part.replace(self._path)
