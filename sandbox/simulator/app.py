"""The HTTP face of the simulator: vendors under their own prefixes, and faults that can be planted.

`POST /_faults` plants one, `DELETE /_faults` clears them, `GET /_requests` counts what was asked,
`GET /_health` says what this is.
Every answer carries the header `X-Sample-Data`.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request, Response

from loaders.collect import SAMPLE_HEADER
from sandbox.simulator.market import market
from sandbox.simulator.vendors import infomax, krx_open_api


@dataclass
class Fault:
    """A misbehaviour for the next requests whose path contains `path`.

    `kind` is quota, access_limit, 429, 500, timeout, truncate, html, empty, commas, dash, rename, extra or
    drop_rows; `field` names the field that rename and dash change.
    """

    path: str
    kind: str
    times: int = 1
    field: str = ""
    seconds: float = 5.0


def _json(payload: Any, status: int = 200) -> Response:
    body = json.dumps(payload, ensure_ascii=False).encode()
    return Response(body, status, media_type="application/json")


def _rows_of(payload: dict[str, Any]) -> list[dict[str, Any]]:
    rows = payload.get("results", payload.get("OutBlock_1", []))
    return rows if isinstance(rows, list) else []


def _spoil(payload: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Change the records of an answer in the way a fault says."""
    rows = _rows_of(payload)
    for row in rows:
        if fault.kind == "rename":
            row[f"{fault.field}_new"] = row.pop(fault.field)
        elif fault.kind == "extra":
            row["surprise"] = {"nested": True}
        elif fault.kind == "dash":
            row[fault.field] = "-"
        elif fault.kind == "commas":
            for name, value in row.items():
                if str(value).isdigit() and not name.lower().endswith(("cd", "dd", "code", "date")):
                    row[name] = f"{int(value):,}"
    if fault.kind == "empty":
        rows.clear()
    elif fault.kind == "drop_rows":
        del rows[len(rows) // 3 :]
    return payload


def create_app(seed: int, now: datetime, row_cap: int = 1000) -> FastAPI:
    """The application for one market.

    Args:
        seed: of the market.
        now: the simulator's clock; what is not published by then is not told.
        row_cap: rows after which Infomax cuts an answer.
    """
    app = FastAPI(title="Vendor simulator (sample data)", docs_url=None, redoc_url=None)
    the_market = market(seed)
    faults: list[Fault] = []
    counts: Counter[str] = Counter()

    def misbehave(path: str, payload: dict[str, Any]) -> Response:
        fault = next((fault for fault in faults if fault.times > 0 and fault.path in path), None)
        if fault is None:
            return _json(payload)
        fault.times -= 1
        whole = json.dumps(payload, ensure_ascii=False).encode()
        if fault.kind == "timeout":
            time.sleep(fault.seconds)
        whole_answers = {
            "quota": lambda: _json(
                {"success": False, "message": {"errmsg": "일별 사용량 제한 초과"}}
            ),
            "access_limit": lambda: _json({"success": False, "message": "access_limit"}),
            "429": lambda: Response("Too Many Requests", 429, headers={"Retry-After": "0"}),
            "500": lambda: Response("Internal Server Error", 500),
            "truncate": lambda: Response(whole[: len(whole) // 2], media_type="application/json"),
            "html": lambda: Response(
                "<html><body>점검 중입니다</body></html>", media_type="text/html"
            ),
        }
        if fault.kind in whole_answers:
            return whole_answers[fault.kind]()
        return _json(_spoil(payload, fault))

    @app.middleware("http")
    async def mark(request: Request, call_next: Any) -> Response:
        counts[request.url.path] += 1
        response: Response = await call_next(request)
        response.headers[SAMPLE_HEADER] = f"korean-market-simulator; seed={seed}"
        return response

    @app.get("/_health")
    def health() -> Response:
        return _json(
            {"simulator": "sample data, an invented market", "seed": seed, "now": now.isoformat()}
        )

    @app.get("/_requests")
    def requests() -> Response:
        return _json(counts)

    @app.post("/_faults")
    async def plant(request: Request) -> Response:
        faults.append(Fault(**await request.json()))
        return _json({"planted": len(faults)})

    @app.delete("/_faults")
    def clear() -> Response:
        faults.clear()
        return _json({"planted": 0})

    @app.get("/infomax/api/{endpoint:path}")
    def ask_infomax(endpoint: str, request: Request) -> Response:
        if request.headers.get("authorization") != f"bearer {infomax.TOKEN}":
            return _json(infomax.denied())
        if endpoint not in infomax.ENDPOINTS:
            return Response("Not Found", 404)
        payload = infomax.answer(the_market, endpoint, dict(request.query_params), now, row_cap)
        return misbehave(request.url.path, payload)

    @app.get("/krx-openapi/svc/apis/sto/{api}")
    def ask_krx(api: str, request: Request) -> Response:
        if request.headers.get("auth_key") != krx_open_api.KEY:
            return _json({"respMsg": "Unauthorized Key", "respCode": "401"}, 401)
        payload = krx_open_api.answer(the_market, api, dict(request.query_params), now)
        if payload is None:
            message = f"[svc/apis/sto/{api}] API referenced by the path does not exist."
            return _json({"respMsg": message, "respCode": "404"}, 404)
        return misbehave(request.url.path, payload)

    return app
