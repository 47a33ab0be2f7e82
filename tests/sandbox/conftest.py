"""A clone of the project to run its commands in, and servers of a test's own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.embedded import EmbeddedServer, state_folder
from tests.conftest import FOREIGN, ROOT

PARTS = (
    "loaders",
    "sandbox",
    "models",
    "macros",
    "seeds",
    "snapshots",
    "profiles",
    "tests/generic",
)


@dataclass(frozen=True)
class Clone:
    """A copy of the project with an environment that is set up, and no `.env`."""

    root: Path

    def make(
        self, *arguments: str, stdin: str = "", prefix: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run make as a user with an empty home folder."""
        return self.run([*prefix, "make", "--no-print-directory", *arguments], stdin, **environment)

    def run(
        self, command: list[str], stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run any command in the clone."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment() | environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def environment(self) -> dict[str, str]:
        """The tester's environment without anything that belongs to a clone or to an outer make."""
        dropped = (*FOREIGN, "MAKE", "MFLAGS", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        return kept | {"HOME": str(self.root / "home")}

    @property
    def server(self) -> EmbeddedServer:
        """Its embedded server."""
        return EmbeddedServer(state_folder(self.root))

    def settings(self) -> dict[str, str]:
        """The lines of its `.env`."""
        lines = (self.root / ".env").read_text(encoding="utf-8").splitlines()
        pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
        return {name: value for name, _, value in pairs}


@pytest.fixture(scope="module")
def new_clone(scratch: Path) -> Iterator[Callable[[], Clone]]:
    """Makes clones; their servers are stopped with the module."""
    made: list[Clone] = []

    def make() -> Clone:
        root = scratch / f"clone-{os.getpid()}-{len(list(scratch.glob('clone-*')))}"
        (root / "home").mkdir(parents=True)
        ignore = shutil.ignore_patterns("__pycache__", ".user.yml")
        for part in PARTS:
            if (ROOT / part).exists():
                shutil.copytree(ROOT / part, root / part, ignore=ignore)
        for file in (*ROOT.glob("*.*"), ROOT / "Makefile", ROOT / ".env.example"):
            if file.is_file() and file.name != ".env":
                shutil.copy2(file, root)
        # the environment that the tests run in is the one that `make setup` made; the stamp says so
        for kept in (root / ".venv", root / ".boot/bin"):
            kept.mkdir(parents=True)
        for entry in Path(sys.prefix).iterdir():
            if entry.name != ".stamp":
                (root / ".venv" / entry.name).symlink_to(entry)
        (root / ".boot/bin/uv").touch()
        (root / ".venv/.stamp").touch()
        made.append(Clone(root))
        return made[-1]

    yield make
    for clone in made:
        clone.server.stop()
        if clone.server.state.parent != clone.root:
            shutil.rmtree(clone.server.state)


@pytest.fixture(scope="module")
def clone(new_clone: Callable[[], Clone]) -> Clone:
    """One clone for the whole module."""
    return new_clone()


@pytest.fixture
def new_server(scratch: Path) -> Iterator[Callable[[], EmbeddedServer]]:
    """Makes servers, not started yet, each with a folder of its own; stopped with the test."""
    made: list[EmbeddedServer] = []

    def make() -> EmbeddedServer:
        folder = scratch / f"server-{os.getpid()}-{len(list(scratch.glob('server-*')))}"
        folder.mkdir(mode=0o711)
        made.append(EmbeddedServer(folder / "state"))
        return made[-1]

    yield make
    for server in made:
        server.stop()
