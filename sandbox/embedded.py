"""The embedded PostgreSQL server: makes, starts and stops it, and says in one line what is wrong when it cannot."""

import hashlib
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from filelock import FileLock, Timeout
from psycopg import sql

from sandbox.accounts import Account, server_account
from sandbox.binaries import Binaries, find_binaries
from sandbox.errors import SandboxError

HOST = "127.0.0.1"
USER = "warehouse"
# below the range from which the system takes ports for outgoing connections, so that a recorded port stays free
PORTS = range(20000, 32000)
SPACE_FOR_NEW_SERVER_MB = 400
SPACE_TO_START_MB = 16
LOG_LIMIT_BYTES = 20_000_000
START_SECONDS = 600  # replaying the log after a hard stop can take minutes
STOP_SECONDS = 120
RETRY_SECONDS = 15
MEGABYTE = 1024 * 1024


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of this machine's loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nothing listens on.

    Raises:
        SandboxError: none was found.
    """
    for port in random.sample(PORTS, 200):
        if is_free(port):
            return port
    raise SandboxError("no free port on this machine; name one as EMBEDDED_PGPORT in .env")


def _configuration(port: int, *, durable: bool, free_bytes: int) -> str:
    """Settings for a machine that other programs share; sizes in kB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    settings = {
        "listen_addresses": HOST,
        "port": port,
        # a socket's path may have 107 bytes, a clone's path more
        "unix_socket_directories": "",
        "max_connections": 50,
        "timezone": "Asia/Seoul",
        "log_timezone": "Asia/Seoul",
        "log_checkpoints": "off",
        "cluster_name": "korean-market-warehouse",
        "shared_buffers": f"{min(512 * 1024, memory // 8)}kB",
        "effective_cache_size": f"{memory // 2}kB",
        "maintenance_work_mem": f"{min(256 * 1024, memory // 16)}kB",
        "work_mem": f"{min(32 * 1024, memory // 128)}kB",
        # fewer checkpoints while years are loaded, without filling a small disk
        "max_wal_size": f"{max(256, min(4096, free_bytes // MEGABYTE // 10))}MB",
        "checkpoint_timeout": "15min",
        "autovacuum": "on",
        # what a killed program has left waiting for a lock leaves the queue
        "client_connection_check_interval": "5s",
        "fsync": "on",
        "synchronous_commit": "on",
    }
    shared_memory = Path("/dev/shm")  # noqa: S108  asked for its size only
    if shared_memory.exists() and shutil.disk_usage(shared_memory).total < 256 * MEGABYTE:
        # containers give it 64 MB, which a parallel query outgrows
        settings["dynamic_shared_memory_type"] = "mmap"
    if not durable:
        settings |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": 0,
            "shared_buffers": f"{min(128 * 1024, memory // 8)}kB",
            "max_wal_size": "1GB",
        }
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    return "\n".join(
        [
            "# written at every start; put your own into postgresql.conf below the include",
            *lines,
            "",
        ]
    )


@dataclass(frozen=True)
class EmbeddedServer:
    """One PostgreSQL server on loopback whose every file is in one folder.

    Attributes:
        state: that folder. The user that the server runs as must be able to reach it.
    """

    state: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.state / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.state / "server.log"

    @property
    def account(self) -> Account:
        """The user that the server runs as."""
        return server_account(self.state)

    @property
    def password(self) -> str:
        """The password of `warehouse`, generated when the server was made."""
        return (self.state / "password").read_text(encoding="ascii")

    @property
    def exists(self) -> bool:
        """Whether the server was ever made."""
        return (self.data / "PG_VERSION").exists()

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _process(self) -> int | None:
        """The server's process id, if it lives."""
        lines = self._pid_file()
        return int(lines[0]) if lines and self._is_ours(int(lines[0])) else None

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is this server: after a hard stop its number may belong to any program."""
        try:
            os.kill(pid, 0)
            if Path("/proc/self").exists():
                return Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve()
        except OSError:
            return False
        answer = subprocess.run(  # noqa: S603  ps, with a number of ours
            ["/bin/ps", "-o", "command=", "-p", str(pid)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return str(self.data) in answer.stdout

    @property
    def port(self) -> int | None:
        """The port that the running server listens on; None when it is down."""
        lines = self._pid_file()
        # the eighth line says `ready` once it takes connections
        if len(lines) < 8 or lines[7].strip() != "ready" or self._process() is None:
            return None
        return int(lines[3])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep two commands of one clone from making or starting the same server."""
        try:
            with FileLock(self.state / "lock", timeout=START_SECONDS):
                yield
        except Timeout:
            raise SandboxError(
                f"another command has been busy with {self.state} for ten minutes"
            ) from None

    def start(self, port: int | None = None, *, durable: bool = True) -> int:
        """Start the server, making it first where there is none; a running one is left alone.

        Args:
            port: where to listen; without it the port of last time, or a free one for a new server.
            durable: survive a hard stop of the machine. Without it the server is faster, and good for tests only.

        Returns:
            The port it listens on.

        Raises:
            SandboxError: it cannot be started; the message says what to do.
        """
        if running := self.port:
            return running
        account = self.account
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        account.own(self.state)
        with self._alone():
            if running := self.port:
                return running
            binaries = find_binaries().runnable_by(account, self.state)
            if self.exists:
                self._check_version(binaries, account)
                port = port or self._last_port()
            else:
                # a `.env` copied from another clone names that clone's port
                port = port if port and is_free(port) else free_port()
                self._make(binaries, account)
            self._start(binaries, account, port, durable=durable)
        return port

    def _last_port(self) -> int:
        found = re.search(
            r"^port = '(\d+)'", (self.data / "sandbox.conf").read_text(), re.MULTILINE
        )
        return int(found[1]) if found else free_port()

    def _check_version(self, binaries: Binaries, account: Account) -> None:
        made_by = int((self.data / "PG_VERSION").read_text().split(".")[0])
        major = binaries.major_version(account)
        if made_by != major:
            raise SandboxError(
                f"{self.data} was made by PostgreSQL {made_by}, and the programs in {binaries.folder} are "
                f"{major}: name the bin folder of PostgreSQL {made_by} as EMBEDDED_PG_BIN, or move {self.data} "
                "away and load again"
            )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.state).free

    def _disk_full(self) -> SandboxError:
        return SandboxError(
            f"disk full: {self._free_bytes() // MEGABYTE} MB are free for {self.state}; "
            "make room and start again (nothing that was committed is lost)"
        )

    def _make(self, binaries: Binaries, account: Account) -> None:
        if self._free_bytes() < SPACE_FOR_NEW_SERVER_MB * MEGABYTE:
            raise SandboxError(
                f"disk full: {self._free_bytes() // MEGABYTE} MB are free for {self.state}, "
                f"a new server needs {SPACE_FOR_NEW_SERVER_MB} MB"
            )
        self._write("password", secrets.token_urlsafe(24), account)
        # made beside its place and moved there, so that a killed initdb leaves nothing that looks like a server
        unfinished = self.state / "data-unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        settings, lasting = ["--locale=C"], ""
        if binaries.major_version(account) >= 16:
            # Iterations make guessing slow, and nobody guesses these 24 random bytes: a connection takes half the time with one,
            # and dbt opens one a node. Passwords that users choose are kept as PostgreSQL keeps them.
            settings += ["--set", "scram_iterations=1"]
            lasting = "scram_iterations = 4096\n"
        if binaries.major_version(account) >= 17:
            # sorts Hangul in 가나다 order without ICU, the same on every machine
            settings += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        answer = account.run(
            [
                binaries.program("initdb"), "--pgdata", str(unfinished), "--username", USER,
                "--pwfile", str(self.state / "password"), "--auth", "scram-sha-256",
                "--encoding", "UTF8", "--no-instructions", "--no-sync", *settings,
            ]
        )  # fmt: skip
        if answer.returncode != 0:
            if "No space left" in answer.stderr:
                raise self._disk_full()
            reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise SandboxError(f"initdb failed: {reason}")
        with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as main:
            main.write(f"\ninclude = 'sandbox.conf'\n{lasting}")
        os.sync()  # once for all files, where initdb syncs one by one
        unfinished.rename(self.data)

    def _write(self, name: str, text: str, account: Account) -> None:
        path = self.state / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        account.own(path)

    def _start(self, binaries: Binaries, account: Account, port: int, *, durable: bool) -> None:
        if not is_free(port):
            raise self._port_taken(port)
        if self._free_bytes() < SPACE_TO_START_MB * MEGABYTE:
            raise self._disk_full()  # there may not even be room for the log to say so
        configuration = _configuration(port, durable=durable, free_bytes=self._free_bytes())
        self._write("data/sandbox.conf", configuration, account)
        self._forget_reused_process_id()
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        command = [
            # its own output goes nowhere: the server would keep a pipe open for ever
            "/bin/sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh",
            binaries.program("pg_ctl"), "start", "--pgdata", str(self.data), "--log", str(self.log),
            "--wait", "--timeout", str(START_SECONDS), "--silent",
        ]  # fmt: skip
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            already_said = self.log.stat().st_size if self.log.exists() else 0
            with account.begin(command) as starting:
                while starting.poll() is None:
                    time.sleep(0.02)
                    if "PANIC:" in self._said_since(already_said):
                        self._end_crash_loop()
            if starting.returncode == 0:
                return
            said = self._said_since(already_said)
            # after a hard stop of the server alone its last workers take a moment to notice
            lingering = "still in use" in said or "lock file" in said
            if not lingering or time.monotonic() > deadline:
                raise self._explain(said, port)
            time.sleep(0.5)

    def _said_since(self, position: int) -> str:
        """What the log holds from a position on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(position)
            return log.read().decode("utf-8", "replace")

    def _end_crash_loop(self) -> None:
        """Stop a server that dies while it recovers: on a full disk it would try again for ever."""
        if pid := self._process():
            os.kill(pid, signal.SIGQUIT)

    def _forget_reused_process_id(self) -> None:
        """Remove the pid file of a server that is gone when its number now belongs to another program.

        PostgreSQL removes a stale file itself, but not when any process of the same user has that number, as is usual
        after a restart of a container; nor when the dead server was never waited for.
        """
        lines = self._pid_file()
        if not lines:
            return
        try:
            os.kill(int(lines[0]), 0)
        except ProcessLookupError:
            return
        except PermissionError:
            return  # another user's process: PostgreSQL knows that it is not its own
        if not self._is_ours(int(lines[0])):
            (self.data / "postmaster.pid").unlink()

    def _port_taken(self, port: int) -> SandboxError:
        return SandboxError(
            f"port {port} is taken by another program: stop that one, "
            f"or write another port (for example {free_port()}) as EMBEDDED_PGPORT into .env"
        )

    def _explain(self, said: str, port: int) -> SandboxError:
        if "No space left on device" in said:
            return self._disk_full()
        if "could not bind" in said:
            return self._port_taken(port)
        grave = [line for line in said.splitlines() if "PANIC:" in line or "FATAL:" in line]
        reason = (grave or said.strip().splitlines() or ["it gave no reason"])[-1]
        return SandboxError(f"the embedded server does not start: {reason} (more in {self.log})")

    def stop(self) -> bool:
        """Stop the server; clients are cut off, committed work is kept.

        Returns:
            Whether there was one to stop.

        Raises:
            SandboxError: it does not stop.
        """
        pid = self._process()
        if pid is None:
            return False
        os.kill(pid, signal.SIGINT)  # fast shutdown; works without any of the programs
        deadline = time.monotonic() + STOP_SECONDS
        while self._process() is not None:
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"the server (process {pid}) does not stop within {STOP_SECONDS} s; see {self.log}"
                )
            time.sleep(0.02)
        return True

    def environment(self, database: str) -> dict[str, str]:
        """The libpq variables that name a database of the running server.

        Raises:
            SandboxError: the server is down.
        """
        port = self.port
        if port is None:
            raise SandboxError("the embedded server is down: run `make up`")
        return {
            "PGHOST": HOST,
            "PGPORT": str(port),
            "PGUSER": USER,
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
            "PGSSLMODE": "disable",
        }

    def connect(self, database: str) -> psycopg.Connection:
        """Open a connection in autocommit mode.

        Raises:
            SandboxError: the server is down.
            psycopg.OperationalError: the database does not exist.
        """
        environment = self.environment(database)
        return psycopg.connect(
            host=environment["PGHOST"],
            port=environment["PGPORT"],
            user=environment["PGUSER"],
            password=environment["PGPASSWORD"],
            dbname=database,
            connect_timeout=10,
            autocommit=True,
        )

    def has_database(self, name: str) -> bool:
        """Whether a database exists."""
        with self.connect("postgres") as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", (name,))
            return found.fetchone() is not None

    def ensure_database(self, name: str) -> bool:
        """Create a database unless it exists.

        Returns:
            Whether it was created now.
        """
        with self.connect("postgres") as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", (name,))
            if found.fetchone():
                return False
            try:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            except psycopg.errors.DuplicateDatabase:
                return False  # another command was quicker
            return True


def state_folder(root: Path) -> Path:
    """Where a clone's server lives: `.postgres` in the clone, if the server's user can get there.

    Root's clones often lie below /root, which is closed to the unprivileged user that the server must run as. Their
    servers live in /var/tmp, under a name that is the clone's own.

    Raises:
        SandboxError: that folder was made by somebody else.
    """
    inside = root / ".postgres"
    account = server_account(inside)
    if account.is_me or account.can_enter(root):
        return inside
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    outside = Path("/var/tmp") / f"korean-market-warehouse-{mark}"  # noqa: S108  ownership is checked
    if outside.is_symlink() or (outside.exists() and outside.stat().st_uid not in (0, account.uid)):
        raise SandboxError(
            f"{outside} was made by another user; remove it, or move the clone out of {root.parent}"
        )
    return outside
