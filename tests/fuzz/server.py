"""The simulator behind a layer that alters its answers: `python -m tests.fuzz.server {mutants | plants} LOG`.

`mutants` damages a part of all answers at random, `plants` puts the errors of the table in their places.
"""

import json
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from fastapi import Request, Response

from sandbox.simulator.app import create_app, environment
from sandbox.simulator.server import NOW, SEED
from sandbox.simulator.stage import records_of
from tests.fuzz.mutants import Mutator
from tests.fuzz.plants import PLANTS, Planter

# log-ins, tokens, and the lists without which nothing is asked; and the minutes of one stock, as nearly every page of others
# is damaged: with one plain day a glance has something to settle, whatever the requests are
SPARED = (
    "/oauth2/", "/COMS/", "GenerateOTP", "/contents/MKD/", "/_", "stock/code", "stock/expired", "index/code", ".mst",
    "isu_base_info", "finder_", "MDCSTAT01901", "MDCSTAT04601", "mrkt_tp", "CTCA0903R", "chk-holiday", "holiday",
    "'FID_INPUT_ISCD': '990020', 'FID_INPUT_HOUR_1'",
)  # fmt: skip

Alter = Callable[[str, dict[str, str], bytes], bytes]
"""Path, parameters and sound body to the body that the loaders get."""


def planting(log: Path) -> Alter:
    """Answers with the errors of the table; the log names those that met an answer, one a line."""
    planter = Planter(PLANTS)

    def alter(path: str, request: dict[str, str], body: bytes) -> bytes:
        try:
            payload = json.loads(body)
        except ValueError:
            return body
        is_changed = planter.alter(path, request, records_of(payload))
        log.write_text("\n".join(sorted(planter.planted)), encoding="utf-8")
        return json.dumps(payload, ensure_ascii=False).encode() if is_changed else body

    return alter


def main(kind: str, log: Path) -> None:
    app = create_app(SEED, datetime.fromisoformat(NOW))
    mutator = Mutator(20240102, log, record_rate=0.05, answer_rate=0.04, spared=SPARED)
    alter = planting(log) if kind == "plants" else mutator.damage

    @app.middleware("http")
    async def answer(request: Request, call_next: Any) -> Response:
        body = await request.body()
        asked = dict(request.query_params) | dict(parse_qsl(body.decode("utf-8", "replace")))
        if request.headers.get("content-type", "").startswith("application/json") and body:
            asked |= {key: str(value) for key, value in json.loads(body).items()}
        response = await call_next(request)
        whole = b"".join([part async for part in response.body_iterator])
        kept = {name: value for name, value in response.headers.items() if name != "content-length"}
        if response.status_code == 200:
            whole = alter(request.url.path, asked, whole)
        return Response(whole, response.status_code, headers=kept)

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(json.dumps({"base_url": base_url, "environment": environment(base_url)}), flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
