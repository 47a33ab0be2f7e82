"""Half a million minute rows in vendor pages, loaded through the real feed, batch and destination: how much memory that takes.

The pages lie on disk, so that the memory is the load's own, and stand in for the vendor's host alone: everything from the
answer's bytes on is what a load does. `python -m tests.bench.minute_pages FOLDER` loads them into the database that the
environment names.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from datetime import date
from pathlib import Path
from typing import Any

import requests

from loaders import catalogue
from loaders.batches import collect_feed
from loaders.bootstrap import initialise
from loaders.collect import Collection
from loaders.config import RunSettings
from loaders.database import connect, read_warehouse
from loaders.feeds import Cell, Feed, Service, Source
from loaders.kis.client import KisSettings

DAY = date(2026, 9, 29)
PAGES = 1_313
ROWS_PER_PAGE = 381
TOKEN = b'{"access_token": "none", "expires_in": 86400}'
ENDPOINT = "inquire-time-dailychartprice"


def _stock_code(number: int) -> str:
    return f"{number:06d}"


def _page(number: int) -> bytes:
    """The answer for one stock's regular session: a random walk from a price of its own, newest minute first."""
    draw = random.Random(number)
    price, total = draw.randrange(1_000, 400_000), 0
    rows = []
    for minute in range(ROWS_PER_PAGE):
        opened, closed = price, max(1, price + draw.randrange(-price // 200 - 1, price // 200 + 2))
        volume = draw.randrange(1, 20_000)
        total += volume * closed
        rows.append(
            {
                "stck_bsop_date": f"{DAY:%Y%m%d}",
                "stck_cntg_hour": f"{9 + minute // 60:02d}{minute % 60:02d}00",
                "stck_prpr": str(closed),
                "stck_oprc": str(opened),
                "stck_hgpr": str(max(opened, closed)),
                "stck_lwpr": str(min(opened, closed)),
                "cntg_vol": str(volume),
                "acml_tr_pbmn": str(total),
            }
        )
        price = closed
    answer = {"output1": {}, "output2": rows[::-1], "rt_cd": "0", "msg_cd": "MCA00000"}
    return json.dumps(answer, ensure_ascii=False).encode()


def write_pages(folder: Path, count: int = PAGES) -> int:
    """Write the pages of so many stocks, one file each; returns their rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        path = folder / f"{_stock_code(number)}.json"
        if not path.exists():
            path.write_bytes(_page(number))
    return count * ROWS_PER_PAGE


def answer(body: bytes) -> requests.Response:
    """An answer of the vendor as it is after the way over the net."""
    response = requests.Response()
    response.status_code = 200
    response.headers["Content-Type"] = "application/json"
    response._content = body
    return response


class _Disk:
    """In place of the vendor's host: the page of the stock that is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, _method: str, url: str, **asked: Any) -> requests.Response:
        if url.endswith("tokenP"):
            return answer(TOKEN)
        return answer((self._folder / f"{asked['params']['FID_INPUT_ISCD']}.json").read_bytes())

    def close(self) -> None:
        """Nothing to close."""


def _minutes() -> tuple[Source, Service, Feed]:
    source = next(source for source in catalogue.SOURCES if source.name == "kis")
    service = next(service for service in source.services if service.settings is KisSettings)
    return source, service, next(feed for feed in service.feeds if feed.name == "minutes")


def load_pages(folder: Path, count: int = PAGES, **settings: Any) -> int:
    """Load the pages into the current database as `python -m loaders load` does; returns the rows.

    Args:
        folder: of `write_pages`.
        count: how many of its pages.
        settings: of the service, in place of its defaults.
    """
    source, service, feed = _minutes()
    chosen = KisSettings(
        app_key="key", app_secret="secret", base_url="http://pages", requests_per_minute=0, **settings  # type: ignore[arg-type]
    )  # fmt: skip
    with connect() as connection:
        collection = Collection(
            source, service, chosen, RunSettings(), connection, read_warehouse(connection)
        )
        collection._client.close()
        collection._client = _Disk(folder)  # type: ignore[assignment]
        cells = [Cell(DAY, _stock_code(number)) for number in range(1, count + 1)]
        result = collect_feed(collection, feed, cells)
        collection.close()
    assert not result.errors, result.errors[:3]
    return result.rows


def peak_megabytes() -> float:
    """The most memory that this process has held so far.

    Not the operating system's `ru_maxrss`: that one keeps, across the start of a program, the peak of whoever started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def main() -> None:
    """Load once and print, as one JSON line, the rows and the peak of memory in megabytes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=PAGES)
    options = parser.parse_args()
    rows = write_pages(options.folder, options.pages)
    with connect() as connection:
        initialise(connection)
    before = peak_megabytes()
    load_pages(options.folder, options.pages)
    print(json.dumps({"rows": rows, "peak_mb": peak_megabytes(), "before_mb": before}))


if __name__ == "__main__":
    sys.exit(main())
