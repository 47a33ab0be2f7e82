"""A vendor on loopback that answers as a test says: recorded answers, and misbehaviour that the simulator does not know."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4


@dataclass(frozen=True)
class Asked:
    """A request as it came.

    Attributes:
        path: without query.
        fields: of its query and of its form or JSON body together.
        headers: with names in lower case.
        target: path and query as sent.
    """

    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]
    target: str


@dataclass(frozen=True)
class Reply:
    """An answer: bytes and text as they are, anything else as JSON."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        text = (
            self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)
        )
        return text.encode()


@dataclass
class Replay:
    """A running server: its address, and what it was asked."""

    base_url: str
    account: str = field(default_factory=lambda: uuid4().hex)
    """An application key of its own: tokens are kept by address and key, and a port comes again within one run of tests."""
    asked: list[Asked] = field(default_factory=list)


def _body_fields(body: bytes, content_type: str) -> dict[str, str]:
    if "x-www-form-urlencoded" in content_type:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    return json.loads(body) if body else {}


@contextmanager
def replaying(answer: Callable[[Asked], Reply]) -> Iterator[Replay]:
    """Serve answers on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            fields = dict(parse_qsl(url.query, keep_blank_values=True))
            fields |= _body_fields(body, headers.get("content-type", ""))
            asked = Asked(url.path, fields, headers, self.path)
            replay.asked.append(asked)
            reply = answer(asked)
            sent = reply.encoded()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

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
