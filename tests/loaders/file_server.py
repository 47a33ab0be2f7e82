"""A web server on loopback that hands out what a test puts into it, as a recorded vendor."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from tests.replay import Asked, Reply, replaying


@dataclass
class FileServer:
    """Files by path; a path that is not there is a 404.

    Attributes:
        base_url: address of the server.
        files: path from `/` on, with or without its query, to body and the time for `Last-Modified`, if any.
        asked: paths with their query in the order of requests.
    """

    base_url: str = ""
    files: dict[str, tuple[bytes, datetime | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        """The file behind a request."""
        self.asked.append(asked.target)
        found = self.files.get(asked.target) or self.files.get(asked.path)
        if found is None:
            return Reply(b"not found", status=404)
        body, modified = found
        headers = {"Last-Modified": format_datetime(modified, usegmt=True)} if modified else {}
        return Reply(body, headers=headers)


@contextmanager
def running_file_server() -> Iterator[FileServer]:
    """Start a server on a free port and stop it in the end."""
    served = FileServer()
    with replaying(served.answer) as replay:
        served.base_url = replay.base_url
        yield served
