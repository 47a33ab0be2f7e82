"""Mutants of the vendors' answers: one small damage each, made between the simulator and the loaders.

What is damaged follows from a seed and from the request alone, so that asking again brings the same mutant. A mutant has a
key of its own: no two hit the same stock and day of one endpoint, and a damaged answer holds one mutant.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.simulator.stage import records_of

Record = dict[str, Any]

HUGE = ("9" * 25, "1" + "0" * 12, "-" + "9" * 30, "1e300")


def _huge(value: Any, rng: random.Random) -> Any:
    text = rng.choice(HUGE)
    return text if isinstance(value, str) else json.loads(text)


def _sign(value: Any, _rng: random.Random) -> Any:
    if isinstance(value, str):
        return value[1:] if value[:1] in "+-" and value[1:] else f"-{value}"
    return -value if isinstance(value, int | float) else value


def _other_type(value: Any, rng: random.Random) -> Any:
    if isinstance(value, str) and value.isdigit() and rng.random() < 0.5:
        return int(value)  # a code loses its zeros, a date becomes a number
    return rng.choice([None, True, [value], {"value": value}, f"{value}원", "", "N/A", 0.5])


def _control(value: Any, rng: random.Random) -> Any:
    text = str(value)
    place = rng.randrange(len(text) + 1)
    return (
        text[:place]
        + rng.choice(["\x00", "\n", "\t", "\x1f", "\x7f", "\u200b", "\ufeff"])
        + text[place:]
    )


VALUE_DAMAGES: Mapping[str, Callable[[Any, random.Random], Any]] = {
    "huge number": _huge,
    "sign": _sign,
    "swapped type": _other_type,
    "control character": _control,
}
RECORD_KINDS = (
    *VALUE_DAMAGES,
    "dropped field",
    "renamed field",
    "dropped record",
    "doubled record",
    "doubled with another value",
)
ANSWER_KINDS = ("truncated", "web page", "renamed everywhere", "empty object")


@dataclass(frozen=True)
class Mutant:
    """One damage.

    Attributes:
        path: of the request.
        request: its parameters.
        kind: what was done.
        record: position of the damaged record in the sound answer; None where the whole answer was damaged.
        field: that was damaged.
        before: its value.
        after: what it became.
        sound: the sound record, in the vendor's own fields.
    """

    path: str
    request: dict[str, str]
    kind: str
    record: int | None
    field: str | None
    before: Any
    after: Any
    sound: Record


class Mutator:
    """Damages answers and writes down what it did.

    Args:
        seed: the same seed damages the same answers in the same way.
        log: file of one JSON line a mutant.
        record_rate: part of the records that are damaged.
        answer_rate: part of the answers that are damaged as a whole.
        spared: parts of paths or parameters whose answers stay sound: log-ins, tokens, and lists without which nothing is asked.
    """

    def __init__(
        self, seed: int, log: Path, record_rate: float, answer_rate: float, spared: tuple[str, ...]
    ) -> None:
        self._seed = seed
        self._log = log
        self._record_rate = record_rate
        self._answer_rate = answer_rate
        self._spared = spared

    def damage(self, path: str, request: dict[str, str], body: bytes) -> bytes:
        """The answer as the loaders get it."""
        asked = f"{path} {request}"
        if any(part in asked for part in self._spared):
            return body
        rng = random.Random(f"{self._seed}|{path}|{sorted(request.items())}")
        try:
            payload = json.loads(body)
        except ValueError:
            return (
                self._bytes(path, request, body, rng) if rng.random() < self._answer_rate else body
            )
        rows = records_of(payload)
        if rows and rng.random() < self._answer_rate:
            return self._answer(path, request, payload, rows, rng)
        self._records(path, request, rows, rng)
        return json.dumps(payload, ensure_ascii=False).encode()

    def _note(self, mutant: Mutant) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(mutant), ensure_ascii=True) + "\n")

    def _bytes(self, path: str, request: dict[str, str], body: bytes, rng: random.Random) -> bytes:
        kind = rng.choice(("truncated", "web page", "flipped byte"))
        self._note(Mutant(path, request, kind, None, None, None, None, {}))
        if kind == "truncated":
            return body[: rng.randrange(1, max(len(body), 2))]
        if kind == "web page":
            return b"<html><body>error</body></html>"
        place = rng.randrange(len(body))
        return body[:place] + bytes([body[place] ^ 0xFF]) + body[place + 1 :]

    def _answer(
        self,
        path: str,
        request: dict[str, str],
        payload: Any,
        rows: list[Record],
        rng: random.Random,
    ) -> bytes:
        kind = rng.choice(ANSWER_KINDS)
        field = rng.choice(sorted(rows[0]))
        self._note(Mutant(path, request, kind, None, field, None, None, rows[0]))
        if kind == "renamed everywhere":
            for row in rows:
                if field in row:
                    row[f"{field}_v2"] = row.pop(field)
        whole = json.dumps(payload, ensure_ascii=False).encode()
        if kind == "truncated":
            return whole[: rng.randrange(len(whole) // 4, len(whole) - 1)]
        if kind == "web page":
            return "<html><body>점검 중입니다</body></html>".encode()
        return b"{}" if kind == "empty object" else whole

    def _records(
        self, path: str, request: dict[str, str], rows: list[Record], rng: random.Random
    ) -> None:
        taken: set[str] = set()
        damaged: list[Record] = []
        for position, row in enumerate(list(rows)):
            # what tells the rows of a stock and day apart is no key of its own: flows are published whole or not at all
            key = "|".join(
                str(value)
                for name, value in row.items()
                if name.lower()
                in (
                    "code",
                    "date",
                    "dt",
                    "isu_cd",
                    "isu_srt_cd",
                    "bas_dd",
                    "trd_dd",
                    "stck_bsop_date",
                )
            )
            if rng.random() >= self._record_rate or key in taken:
                damaged.append(row)
                continue
            taken.add(key)
            damaged.extend(self._record(path, request, position, row, rng))
        rows[:] = damaged

    def _record(
        self, path: str, request: dict[str, str], position: int, row: Record, rng: random.Random
    ) -> list[Record]:
        kind, field, sound = rng.choice(RECORD_KINDS), rng.choice(sorted(row)), dict(row)
        after: Any = None
        made = [row]
        if kind == "dropped record":
            made = []
        elif kind == "doubled record":
            made = [row, dict(row)]
        elif kind == "doubled with another value":
            after = _sign(row[field], rng)
            made = [row, row | {field: after}]
        elif kind == "dropped field":
            del row[field]
        elif kind == "renamed field":
            row[f"{field}_v2"] = row.pop(field)
        else:
            after = row[field] = VALUE_DAMAGES[kind](row[field], rng)
        self._note(Mutant(path, request, kind, position, field, sound[field], after, sound))
        return made
