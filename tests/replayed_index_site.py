"""The exchange's index site on loopback without the sample header: replays real lists into a real database."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SCREEN = "/contents/MKD/03/0304/03040101/MKD03040101T3.jsp"
OTP = "/contents/COM/GenerateOTP.jspx"
ANSWERS = "/contents/IDX/99/IDX99000001.jspx"
PASSWORD = "DTdx/go1PxVkQ0orKEklB2I0ug+UlqZgG2rMyAPDpiI31cxd2ZlPgHos9zomaRM2"
NAMES = {"K2G01P": "KOSPI200", "Q5G01P": "KOSDAQ150"}

Form = dict[str, str]


class ReplayedIndexSite:
    """What the site answers, and what it was asked.

    Attributes:
        members: (index name, YYYYMMDD) to (code, name) pairs; a day that is not there has an empty list.
        changes: index name to events, told when they lie within the range asked.
        replace: takes the form and gives (status, body) instead of the answer, or None.
        counts: requests by path.
        forms: of the requests for data.
    """

    def __init__(self) -> None:
        self.members: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.changes: dict[str, list[dict[str, str]]] = {}
        self.replace: Callable[[Form], tuple[int, bytes] | None] = lambda _form: None
        self.counts: Counter[str] = Counter()
        self.forms: list[Form] = []
        self.base_url = ""

    @property
    def environment(self) -> dict[str, str]:
        """Points the loaders here, without a limit of rate."""
        return {"KRX_INDEX_BASE_URL": self.base_url, "KRX_INDEX_REQUESTS_PER_MINUTE": "0"}

    def answer(self, form: Form) -> tuple[int, bytes]:
        """Status and body of a request for data."""
        self.forms.append(form)
        if replaced := self.replace(form):
            return replaced
        name = NAMES[form["idx_id"]]
        found: list[dict[str, Any]]
        if form["compst_isu_tp"] == "1":
            listed = self.members.get((name, form["schdate"]), [])
            found = [{"isu_cd": code, "isu_nm": title} for code, title in listed]
        else:
            found = [
                event
                for event in self.changes.get(name, [])
                if form["fromdate"] <= event["appl_dd"].replace("/", "") <= form["todate"]
            ]
        return 200, json.dumps({"output": found}, ensure_ascii=False).encode()


@contextmanager
def replayed_index_site() -> Iterator[ReplayedIndexSite]:
    """A running site."""
    site = ReplayedIndexSite()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            site.counts[path] += 1
            bodies = {SCREEN: b"<html><body></body></html>", OTP: PASSWORD.encode()}
            self._send(200 if path in bodies else 404, bodies.get(path, b""))

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            site.counts[path] += 1
            length = int(self.headers["Content-Length"])
            form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
            if path != ANSWERS or form.get("code") != PASSWORD:
                self._send(404, b"")
            else:
                self._send(*site.answer(form))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
