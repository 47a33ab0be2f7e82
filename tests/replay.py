"""A vendor on loopback that answers as a test says: recorded answers, and misbehaviour that the simulator does not know."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request: its path, the fields of its query or JSON body, and its headers with names in lower case."""

    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Said:
    """An answer: bytes as they are, or anything that JSON can tell."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass
class Replay:
    """A running server: its address, and what it was asked."""

    base_url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def replaying(answer: Callable[[Asked], Said]) -> Iterator[Replay]:
    """Serve answers on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            posted = json.loads(self.rfile.read(length)) if length else {}
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(url.path, dict(parse_qsl(url.query)) | posted, headers)
            replay.asked.append(asked)
            said = answer(asked)
            body = said.body
            if not isinstance(body, bytes):
                body = json.dumps(body, ensure_ascii=False).encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    replay = Replay(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield replay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
