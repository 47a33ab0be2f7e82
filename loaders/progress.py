"""How far a load is: a bar on a terminal, a log line every half minute elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import structlog
from tqdm import tqdm

log = structlog.get_logger()


class Progress:
    """Of one feed.

    Args:
        source: name of the vendor.
        feed: name of the feed.
        cells: how many there are.
        seconds: between two log lines.
        is_shown: as a bar; None for what standard error is.
    """

    def __init__(
        self, source: str, feed: str, cells: int, seconds: float, *, is_shown: bool | None = None
    ) -> None:
        is_shown = sys.stderr.isatty() if is_shown is None else is_shown
        self._log = log.bind(source=source, feed=feed, cells=cells)
        self._bar = tqdm(
            total=cells, desc=f"{source} {feed}", unit="cell", disable=not is_shown, mininterval=0.5
        )
        self._is_shown = is_shown
        self._seconds = seconds
        self._done = 0
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def update(self, cells: int, *, requests: int, rows: int) -> None:
        """So many more cells have ended; `requests` and `rows` since the beginning."""
        self._done += cells
        now = time.monotonic()
        rate = round(requests / max(now - self._started, 0.001), 1)
        if self._is_shown:
            self._bar.set_postfix_str(f"{rows:,} rows, {rate} requests/s", refresh=False)
            self._bar.update(cells)
        elif now - self._said >= self._seconds:
            self._said = now
            self._log.info(
                "collecting",
                done=self._done,
                rows=rows,
                requests=requests,
                requests_per_second=rate,
            )
