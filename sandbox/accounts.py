"""Which operating-system user the server runs as: PostgreSQL refuses root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError


@dataclass(frozen=True)
class Account:
    """A user of this machine.

    Attributes:
        uid: its number.
        gid: its main group.
        name: for messages.
    """

    uid: int
    gid: int
    name: str

    @property
    def is_me(self) -> bool:
        """Whether this process runs as that user already."""
        return self.uid == os.geteuid()

    def begin(self, command: list[str]) -> subprocess.Popen[str]:
        """Begin a command as this user, without our environment: a server has no use for vendors' secrets.

        The working folder is `/`, since ours may be closed to that user.

        Raises:
            PermissionError: the user may not run that program.
        """
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        return subprocess.Popen(  # noqa: S603  the commands are our own
            command,
            user=None if self.is_me else self.uid,
            group=None if self.is_me else self.gid,
            extra_groups=None if self.is_me else [],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as `begin` does, to its end.

        Raises:
            PermissionError: the user may not run that program.
        """
        with self.begin(command) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def can_enter(self, folder: Path) -> bool:
        """Whether this user can reach a folder: the kernel decides, so that access lists count too."""
        return self.run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]).returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or folder to this user (nothing to do unless we are root)."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def _lookup(uid: int) -> Account | None:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def server_account(state: Path) -> Account:
    """The user that the server keeping its state in a folder runs as.

    An ordinary user runs it as himself. Root cannot: the folder's owner does, else `postgres`, else `nobody`.

    Raises:
        SandboxError: there is no such user, or the folder belongs to somebody else.
    """
    owner = state.stat().st_uid if state.exists() else None
    uid = os.geteuid()
    if uid != 0:
        if owner not in (None, uid):
            holder = _lookup(owner) if owner is not None else None
            raise SandboxError(
                f"{state} belongs to user {holder.name if holder else owner}; run this as that user or as root"
            )
        # a container may run as a number without a name
        return _lookup(uid) or Account(uid, os.getegid(), str(uid))
    if owner and (account := _lookup(owner)):
        return account
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise SandboxError(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody; "
        "run this as an ordinary user"
    )
