"""A web server on loopback that hands out what a test puts into it, as a recorded vendor."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class FileServer:
    """Files by path; a path that is not there is a 404.

    Attributes:
        base_url: address of the server.
        files: path without query, from `/` on, to body and the time for `Last-Modified`, if any.
        asked: paths with their query in the order of requests.
    """

    base_url: str = ""
    files: dict[str, tuple[bytes, datetime | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def running_file_server() -> Iterator[FileServer]:
    """Start a server on a free port and stop it in the end."""
    served = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            found = served.files.get(self.path) or served.files.get(self.path.split("?")[0])
            body, modified = found or (b"not found", None)
            self.send_response(200 if found else 404)
            if modified:
                self.send_header("Last-Modified", format_datetime(modified, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing on the test's error output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
