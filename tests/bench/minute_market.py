"""A day of minute bars of an invented market of full size, as the pages that the broker sends, and as the rows in them."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import requests

from loaders.collect import Collection
from loaders.kis.prices import MINUTES
from tests.bench.minute_pages import TOKEN, answer
from tests.bench.report import scaled

NAMES = scaled(2_750)
ROWS = scaled(500_000)
PAGE_ROWS = 120
# every minute of the continuous market, and the closing auction
LABELS = [f"{9 + n // 60:02d}{n % 60:02d}00" for n in range(380)] + ["153000"]
COLUMNS = (
    "stck_bsop_date", "stck_cntg_hour", "stck_prpr", "stck_oprc", "stck_hgpr", "stck_lwpr", "cntg_vol", "acml_tr_pbmn",
)  # fmt: skip
ENVELOPE = {"rt_cd": "0", "msg_cd": "MCA00000", "msg1": "정상처리 되었습니다."}

Row = tuple[str, ...]
"""One bar without its day, in the order of COLUMNS."""


def code_of(number: int) -> str:
    """Codes that no stock has."""
    return f"9{number:05d}"


def _bars_of_names() -> list[int]:
    """Minutes with trades by name: a few trade all day, most now and then; ROWS in all."""
    counts = [max(2, round(len(LABELS) * (1 - n / NAMES) ** 1.1)) for n in range(NAMES)]
    missing, step = ROWS - sum(counts), 1 if sum(counts) < ROWS else -1
    for offset in range(abs(missing)):
        counts[NAMES // 3 + offset % (NAMES // 3)] += step
    return counts


def _bars(day: date, number: int, count: int) -> list[Row]:
    chance = random.Random(day.toordinal() * NAMES + number)
    price, total, rows = 5_000 + 100 * number, 0, []
    # the first minute always trades: nobody has to ask for what lies before it
    for label in sorted([LABELS[0], *chance.sample(LABELS[1:], count - 1)]):
        prices = [price + 10 * chance.randrange(-5, 6) for _ in range(4)]
        volume = chance.randrange(1, 5_000)
        price = max(prices[3], 1_000)
        prices[3] = price
        total += price * volume
        values = (price, prices[0], max(prices), min(prices), volume, total)
        rows.append((label, *map(str, values)))
    return rows


def market(day: date) -> dict[str, list[Row]]:
    """Bars of every name on a day, in the order of time."""
    return {code_of(n): _bars(day, n, count) for n, count in enumerate(_bars_of_names())}


def csv_of(day: date, market_of_day: Mapping[str, list[Row]]) -> bytes:
    """The rows of a day as they come to lie in the raw table: fields of the vendor and lineage."""
    lines = []
    fetch_id = 0
    for bars in market_of_day.values():
        newest_first = bars[::-1]
        for start in range(0, len(bars), PAGE_ROWS):
            fetch_id += 1
            for number, row in enumerate(newest_first[start : start + PAGE_ROWS]):
                values = ",".join(row)
                lines.append(f"{day:%Y%m%d},{values},,{fetch_id},{number},1790000000.0000000\n")
    return "".join(lines).encode()


@dataclass(frozen=True)
class Pages:
    """Answers of a day, as bytes: by code, newest first, each with the label of its newest bar."""

    pages: Mapping[str, list[tuple[str, bytes]]]

    @classmethod
    def of(cls, day: date, market_of_day: Mapping[str, list[Row]]) -> "Pages":
        """Pages of a day."""
        text = f"{day:%Y%m%d}"
        pages = {}
        for code, bars in market_of_day.items():
            newest_first = bars[::-1]
            parts = [newest_first[n : n + PAGE_ROWS] for n in range(0, len(bars), PAGE_ROWS)]
            header = {
                "prdy_vrss": "10", "prdy_vrss_sign": "2", "prdy_ctrt": "0.10", "stck_prdy_clpr": "9990",
                "acml_vol": "1", "acml_tr_pbmn": bars[-1][-1], "hts_kor_isnm": f"표본{code}", "stck_prpr": bars[-1][1],
            }  # fmt: skip
            pages[code] = [
                (part[0][0], json.dumps(
                    {"output1": header,
                     "output2": [dict(zip(COLUMNS, (text, *row), strict=True)) for row in part],
                     **ENVELOPE}, ensure_ascii=False).encode())
                for part in parts
            ]  # fmt: skip
        return cls(pages)

    def up_to(self, code: str, hour: str) -> bytes:
        """The page that the vendor sends for a name and the hour up to which it is asked for."""
        return next(body for newest, body in self.pages[code] if newest <= hour)


class PagesCollection(Collection):
    """The real collection on a vendor that answers at once: what is measured is everything but the way over the net."""

    pages: Pages

    def send(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, **_: Any
    ) -> requests.Response:
        """The token or page that is asked for, without a request."""
        if path.endswith("tokenP"):
            return answer(TOKEN)
        assert path.endswith(MINUTES.path), f"{method} {path}"
        assert params is not None
        return answer(self.pages.up_to(params["FID_INPUT_ISCD"], params["FID_INPUT_HOUR_1"]))
