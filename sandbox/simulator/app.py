"""The HTTP face of the simulator: vendors under their own prefixes, and faults that can be planted.

`POST /_faults` plants one, `DELETE /_faults` clears them, `GET /_requests` counts what was asked, `GET /_rates` tells how fast,
`DELETE /_requests` starts both anew, `POST /_clock` sets the clock, `GET /_health` says what this is.
Every answer carries the header `X-Sample-Data`.
"""

from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request, Response

from loaders.collect import SAMPLE_HEADER
from sandbox.simulator.market import market
from sandbox.simulator.stage import Fault, JsonFields, Stage, reply
from sandbox.simulator.vendors import (
    fnguide,
    infomax,
    kis,
    kis_master,
    kiwoom,
    krx_index,
    krx_open_api,
    krx_portal,
    wics,
)

VENDORS = (
    infomax,
    kis,
    krx_open_api,
    kis_master,
    krx_index,
    kiwoom,
    wics,
    fnguide,
    krx_portal,
)


def environment(base_url: str) -> dict[str, str]:
    """Variables that point the loaders of every vendor at a simulator, without any limit of rate."""
    return {
        name: value for vendor in VENDORS for name, value in vendor.environment(base_url).items()
    }


def create_app(seed: int, now: datetime, row_cap: int = 1000, size: str = "small") -> FastAPI:
    """The application for one market.

    Args:
        seed: of the market.
        now: the simulator's clock; what is not published by then is not told.
        row_cap: rows after which Infomax cuts an answer.
        size: of the market, small or full.
    """
    app = FastAPI(title="Vendor simulator (sample data)", docs_url=None, redoc_url=None)
    stage = Stage(market(seed, size), now, row_cap)

    @app.middleware("http")
    async def mark(request: Request, call_next: Any) -> Response:
        stage.note(request.url.path)
        response: Response = await call_next(request)
        response.headers[SAMPLE_HEADER] = f"korean-market-simulator; seed={seed}"
        return response

    @app.get("/_health")
    def health() -> Response:
        return reply(
            {
                "simulator": "sample data, an invented market",
                "seed": seed,
                "size": size,
                "now": stage.now.isoformat(),
            }
        )

    @app.post("/_clock")
    def set_clock(wanted: JsonFields) -> Response:
        stage.now = datetime.fromisoformat(wanted["now"])
        return reply({"now": stage.now.isoformat()})

    @app.get("/_requests")
    def requests() -> Response:
        return reply(stage.counts)

    @app.delete("/_requests")
    def forget() -> Response:
        stage.forget_requests()
        return reply({})

    @app.get("/_rates")
    def rates() -> Response:
        return reply(stage.rates())

    @app.post("/_faults")
    def plant(wanted: JsonFields) -> Response:
        try:
            stage.faults.append(Fault(**wanted))
        except (TypeError, ValueError) as error:
            return reply({"error": str(error)}, status=400)
        return reply({"planted": len(stage.faults)})

    @app.delete("/_faults")
    def clear() -> Response:
        stage.faults.clear()
        return reply({"planted": 0})

    for vendor in VENDORS:
        app.include_router(vendor.router(stage))
    return app
