"""The exchange's data portal on loopback without the sample header: replays recorded answers into a real database."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

DATA = "/comm/bldAttendant/getJsonData.cmd"
LOG_IN = "/contents/MDC/COMS/client/MDCCOMS001D1.cmd"
PAGES = (
    "/contents/MDC/COMS/client/MDCCOMS001.cmd",
    "/contents/MDC/COMS/client/view/login.jsp",
)
OPEN_OTP = "/contents/COM/GenerateOTP.jspx"
OPEN_DATA = "/contents/OPN/99/OPN99000001.jspx"
PASSWORD = "k3Yv0H8Qb2cW5mZr7tLx"

Form = dict[str, str]
Reply = tuple[int, bytes]


def key_of(form: Form) -> frozenset[tuple[str, str]]:
    """What names an answer: the fields of the form that say something."""
    return frozenset((name, value) for name, value in form.items() if value)


class ReplayedPortal:
    """What the portal answers, and what it was asked.

    Attributes:
        answers: by the fields of the form.
        members: whether it answers without a session.
        verdicts: codes of the log-ins to come; CD001 when there are none left.
        requests_a_session: after which a session ends; 0 for never.
        replace: takes the form and gives the answer instead, or None.
        counts: requests by path.
        forms: of the requests for data.
        log_ins: forms of the log-ins.
        headers: of the last request for data.
    """

    def __init__(self, *, members: bool) -> None:
        self.answers: dict[frozenset[tuple[str, str]], bytes] = {}
        self.members = members
        self.verdicts: list[str] = []
        self.requests_a_session = 0
        self.replace: Callable[[Form], Reply | None] = lambda _form: None
        self.counts: Counter[str] = Counter()
        self.forms: list[Form] = []
        self.log_ins: list[Form] = []
        self.headers: dict[str, str] = {}
        self.base_url = ""
        self._sessions: Counter[str] = Counter()

    @property
    def environment(self) -> dict[str, str]:
        """Points the loaders here, without a limit of rate and without credentials."""
        return {
            "KRX_PORTAL_BASE_URL": self.base_url,
            "KRX_PORTAL_REQUESTS_PER_MINUTE": "0",
            "KRX_OPEN_BASE_URL": self.base_url,
            "KRX_OPEN_REQUESTS_PER_MINUTE": "0",
        }

    @property
    def member(self) -> dict[str, str]:
        """The same with credentials."""
        return self.environment | {"KRX_ID": "trader-one", "KRX_PASSWORD": "correct-horse"}

    def add(self, form: Form, payload: bytes) -> None:
        """An answer to a form."""
        self.answers[key_of(form)] = payload

    def log_in(self, form: Form) -> tuple[Reply, str]:
        """Answer and cookie of a log-in."""
        self.log_ins.append(form)
        code = self.verdicts.pop(0) if self.verdicts else "CD001"
        body = json.dumps({"_error_code": code, "_error_message": "메시지"}, ensure_ascii=False)
        session = f"S{len(self.log_ins)}" if code == "CD001" else ""
        if session:
            self._sessions[session] = 0
        return (200, body.encode()), session

    def answer(self, form: Form, cookie: str) -> Reply:
        """Status and body of a request for data."""
        self.forms.append(form)
        if replaced := self.replace(form):
            return replaced
        if self.members:
            session = cookie.removeprefix("JSESSIONID=")
            if session not in self._sessions:
                return 400, b"LOGOUT"
            self._sessions[session] += 1
            if self.requests_a_session and self._sessions[session] > self.requests_a_session:
                del self._sessions[session]
                return 400, b"LOGOUT"
        found = self.answers.get(key_of(form))
        return (200, found) if found is not None else (404, b"not recorded")

    def holidays(self, form: Form) -> Reply:
        """The list of a year, for the one-time password that was given out."""
        if form.get("code") != PASSWORD:
            return 404, b""
        return self.replace(form) or (200, self.answers[key_of({"year": form["search_bas_yy"]})])


@contextmanager
def replayed_portal(*, members: bool = False) -> Iterator[ReplayedPortal]:
    """A running portal; with `members` it wants a log-in."""
    portal = ReplayedPortal(members=members)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            portal.counts[path] += 1
            if path == OPEN_OTP:
                self._send((200, PASSWORD.encode()))
            elif path in PAGES:
                # as pages for people do, it speaks of what a browser may keep from its reader
                page = "<html><body>log-in <script>alert('팝업 차단을 해제하십시오. 차단된 창')</script></body></html>"
                self._send((200, page.encode()))
            else:
                self._send((404, b""))

        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            portal.counts[path] += 1
            length = int(self.headers["Content-Length"])
            form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
            if path == LOG_IN:
                reply, session = portal.log_in(form)
                self._send(reply, session)
            elif path == OPEN_DATA:
                self._send(portal.holidays(form))
            elif path == DATA:
                portal.headers = dict(self.headers)
                self._send(portal.answer(form, self.headers.get("Cookie", "")))
            else:
                self._send((404, b""))

        def _send(self, reply: Reply, session: str = "") -> None:
            status, body = reply
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if session:
                self.send_header("Set-Cookie", f"JSESSIONID={session}; Path=/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    portal.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
