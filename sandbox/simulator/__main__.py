"""`python -m sandbox.simulator`: serves the sample market on loopback until it is stopped."""

import json
import socket
from datetime import datetime
from typing import Annotated, Literal

import typer
import uvicorn

from sandbox.simulator.app import create_app, environment
from sandbox.simulator.server import NOW, SEED


def serve(
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 0,
    seed: Annotated[int, typer.Option(help="seed of the market")] = SEED,
    now: Annotated[str, typer.Option(help="the simulator's clock, ISO 8601 with offset")] = NOW,
    row_cap: Annotated[int, typer.Option(help="rows after which Infomax cuts an answer")] = 1000,
    size: Annotated[
        Literal["small", "full"], typer.Option(help="small: some sixty names; full: 2,800")
    ] = "small",
) -> None:
    """Serve sample data; the first line printed says where, and with which variables to use it."""
    # named as TCP, or asyncio leaves Nagle's delay on and every answer takes 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app(seed, datetime.fromisoformat(now), row_cap, size)
    print(json.dumps({"base_url": base_url, "environment": environment(base_url)}), flush=True)  # noqa: T201  the caller reads it
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    typer.run(serve)
