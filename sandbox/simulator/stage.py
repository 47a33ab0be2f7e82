"""What all vendors of the simulator share: the market, the clock, the count of requests, and planted faults."""

import json
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Response

from sandbox.simulator.market import Market

Record = dict[str, Any]

RECORD_KINDS = (
    "empty", "drop_rows", "half", "double_rows", "rename", "extra", "dash", "commas", "drop_zeros",
)  # fmt: skip
"""Faults in the records of an answer: the first list of objects in it, at any depth."""
ANSWER_KINDS = ("quota", "access_limit", "429", "500", "html", "block", "logout", "answer")
"""Faults that take the place of an answer."""
BODY_KINDS = ("timeout", "truncate", "cp949")
"""Faults of time and of bytes."""
KINDS = (*ANSWER_KINDS, *BODY_KINDS, *RECORD_KINDS)
MAINTENANCE = "<html><body>점검 중입니다</body></html>"
BLOCKED = "<html><head><title>403 Forbidden</title></head><body><h1>Forbidden</h1></body></html>"


@dataclass
class Fault:
    """A misbehaviour for the next requests to which `path` fits.

    Attributes:
        path: must be found in `path?query topic` of a request; the topic is what a vendor's module names where all
            its requests share one path.
        kind: one of `KINDS`.
        times: requests to spoil.
        field: that rename, dash and drop_zeros change.
        seconds: that a timeout takes.
        after: fitting requests that pass unharmed first.
        status: of kind answer.
        body: of kind answer: text, or what is sent as JSON.
    """

    path: str
    kind: str
    times: int = 1
    field: str = ""
    seconds: float = 5.0
    after: int = 0
    status: int = 200
    body: Any = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; it is one of {', '.join(KINDS)}")


def reply(
    payload: Any,
    *,
    encoding: str = "utf-8",
    media_type: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer that no fault touches: bytes as they are, text and JSON encoded.

    Args:
        payload: bytes, text, or anything that JSON can tell.
        encoding: of text and JSON.
        media_type: the content type, to the letter; by default octets, HTML or JSON.
        status: of HTTP.
        headers: further headers.
    """
    if isinstance(payload, bytes):
        body, default = payload, "application/octet-stream"
    elif isinstance(payload, str):
        body, default = payload.encode(encoding), f"text/html; charset={encoding}"
    else:
        text = json.dumps(payload, ensure_ascii=False)
        body, default = text.encode(encoding), "application/json"
    # as a header and not as media_type, to which Starlette adds a charset of its own
    content_type = {"content-type": media_type or default}
    return Response(body, status, headers=content_type | dict(headers or {}))


def records_of(payload: Any) -> list[Record]:
    """The first list of objects in an answer, at any depth; empty where there is none."""
    if isinstance(payload, list):
        if payload and all(isinstance(item, dict) for item in payload):
            return payload
        children = payload
    elif isinstance(payload, dict):
        children = list(payload.values())
    else:
        return []
    return next((found for child in children if (found := records_of(child))), [])


def _with_commas(row: Record) -> None:
    for name, value in row.items():
        if str(value).isdigit() and not name.lower().endswith(("cd", "dd", "code", "date")):
            row[name] = f"{int(value):,}"


def _spoil(payload: Any, fault: Fault) -> Any:
    """Change the records of an answer in the way a fault says; the answer of the market itself stays as it is."""
    payload = json.loads(json.dumps(payload))
    rows = records_of(payload)
    for row in rows:
        if fault.kind == "extra":
            row["surprise"] = {"nested": True}
        elif fault.kind == "commas":
            _with_commas(row)
        elif fault.field in row:
            if fault.kind == "rename":
                row[f"{fault.field}_new"] = row.pop(fault.field)
            elif fault.kind == "dash":
                row[fault.field] = "-"
            elif fault.kind == "drop_zeros":
                row[fault.field] = str(row[fault.field]).lstrip("0")
    if fault.kind == "empty":
        rows.clear()
    elif fault.kind == "drop_rows":
        del rows[len(rows) // 3 :]
    elif fault.kind == "half":
        del rows[len(rows) // 2 :]
    elif fault.kind == "double_rows":
        rows[:] = [row for row in rows for _ in range(2)]
    return payload


def _in_place_of(fault: Fault) -> Response | None:
    """The answer that a fault gives instead of the vendor's."""
    plain = "text/plain"
    answers: dict[str, Callable[[], Response]] = {
        "quota": lambda: reply({"success": False, "message": {"errmsg": "일별 사용량 제한 초과"}}),
        "access_limit": lambda: reply({"success": False, "message": "access_limit"}),
        "429": lambda: reply(
            "Too Many Requests", status=429, headers={"Retry-After": "0"}, media_type=plain
        ),
        "500": lambda: reply("Internal Server Error", status=500, media_type=plain),
        "html": lambda: reply(MAINTENANCE),
        "block": lambda: reply(BLOCKED, status=403),
        "logout": lambda: reply("LOGOUT", status=400),
        "answer": lambda: reply(fault.body, status=fault.status),
    }
    return answers[fault.kind]() if fault.kind in answers else None


class Stage:
    """What a vendor's module plays on.

    Args:
        market: that everything is told from.
        now: the simulator's clock; what is not published by then is not told.
        row_cap: rows after which Infomax cuts an answer.
    """

    def __init__(self, market: Market, now: datetime, row_cap: int = 1000) -> None:
        self.market = market
        self.now = now
        self.row_cap = row_cap
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def note(self, path: str) -> None:
        """Count a request and its moment; the first part of the path names the vendor."""
        with self._lock:
            self.counts[path] += 1
            prefix = "/" + path.split("/")[1]
            if not prefix.startswith("/_"):
                self._times[prefix].append(time.monotonic())

    def forget_requests(self) -> None:
        """Start counting anew."""
        with self._lock:
            self.counts.clear()
            self._times.clear()

    def rates(self) -> dict[str, dict[str, float]]:
        """By vendor prefix: requests, the most within any second and any minute, and seconds from first to last."""
        with self._lock:
            return {
                prefix: {
                    "requests": len(times),
                    "peak_per_second": _peak(times, 1.0),
                    "peak_per_minute": _peak(times, 60.0),
                    "seconds": round(times[-1] - times[0], 3),
                }
                for prefix, times in sorted(self._times.items())
            }

    def answer(
        self,
        request: Request,
        payload: Any,
        *,
        topic: str = "",
        encoding: str = "utf-8",
        media_type: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The vendor's answer, or what a planted fault makes of it. Call it from a plain `def`: a timeout sleeps.

        Args:
            request: that is answered.
            payload: bytes, text, or anything that JSON can tell.
            topic: what is asked, where the path does not say it (a portal's screen, a broker's transaction).
            encoding: of text and JSON.
            media_type: the content type, to the letter; by default octets, HTML or JSON.
            status: of HTTP.
            headers: further headers.

        Raises:
            ValueError: a fault of records was planted for an answer that has none by its nature, text or bytes.
        """
        fault = self._next_fault(f"{request.url.path}?{request.url.query} {topic}")
        if fault is None:
            return reply(
                payload, encoding=encoding, media_type=media_type, status=status, headers=headers
            )
        if fault.kind == "timeout":
            time.sleep(fault.seconds)
        elif instead := _in_place_of(fault):
            return instead
        elif fault.kind in RECORD_KINDS:
            if isinstance(payload, str | bytes):
                raise ValueError(
                    f"the fault {fault.kind} needs records; {topic or fault.path} has none"
                )
            payload = _spoil(payload, fault)
        response = reply(
            payload, encoding=encoding, media_type=media_type, status=status, headers=headers
        )
        if fault.kind == "truncate":
            return _with_body(response, bytes(response.body)[: len(response.body) // 2])
        if fault.kind == "cp949":
            text = bytes(response.body).decode(encoding)
            return _with_body(response, text.encode("cp949", errors="replace"))
        return response

    def _next_fault(self, asked: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times <= 0 or fault.path not in asked:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
        return None


def _with_body(response: Response, body: bytes) -> Response:
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, response.status_code, headers=kept)


def _peak(times: list[float], seconds: float) -> int:
    return max(
        (number + 1 - bisect_left(times, moment - seconds) for number, moment in enumerate(times)),
        default=0,
    )


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


async def _json(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


FormFields = Annotated[dict[str, str], Depends(_form)]
"""Type of a route's parameter that takes the fields of a form, in a plain `def`."""
JsonFields = Annotated[dict[str, Any], Depends(_json)]
"""Type of a route's parameter that takes the fields of a JSON body, in a plain `def`."""
