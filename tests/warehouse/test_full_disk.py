"""A disk that fills up while a window of a time series is exchanged: the old window stays, and a later build goes on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.embedded import EmbeddedServer
from tests.conftest import Database
from tests.warehouse import storage_project
from tests.warehouse.small_project import SmallProject

NAMES = 100_000
CHECKSUM = "select count(*), sum(value), md5(string_agg(stock_code || value, ',' order by stock_code)) from marts.ticks"


@pytest.fixture
def server(scratch: Path) -> Iterator[EmbeddedServer]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    disk = scratch / "disk-of-a-window"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600m,mode=711", "tmpfs", str(disk)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    server = EmbeddedServer(disk / "state")
    try:
        server.start()
        yield server
    finally:
        server.stop()
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


def collect(database: Database, attempt: int, value: int) -> None:
    database.execute(
        "insert into raw.fetch_cells (attempt_id, source, dataset, scope, collection_date, status, started_at,"
        f" completed_at, error) select {attempt}, 'test', 'bars', 'name ' || name, '2026-01-05', 'SUCCESS', now(), now(),"
        f" '{value}' from generate_series(1, {NAMES}) as name"
    )


def free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_the_old_window_stays_when_the_disk_is_full_in_mid_exchange(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    database = Database(server.environment("postgres"))
    assert database.loaders("init").returncode == 0
    project: SmallProject = storage_project.write(tmp_path / "project", database)
    collect(database, 1, 10)
    project.dbt("run", "--select", "cells", "ticks")
    before = database.rows(CHECKSUM)
    ((size,),) = database.rows("select pg_relation_size('partitions.ticks_2026_01')")
    collect(database, 2, 20)
    database.execute("checkpoint")
    filling = server.state.parent / "filling"
    with filling.open("wb") as file:
        # room for the new rows beside the table, where they are computed, and not for them within it
        left = free_bytes(filling.parent) - int(1.5 * int(str(size)))
        assert left > 0
        os.posix_fallocate(file.fileno(), 0, left)
    failed = project.failing("run", "--select", "ticks")
    assert "No space left on device" in failed or "server closed the connection" in failed
    filling.unlink()
    server.start()  # a server that could not write its log has ended itself
    database = Database(server.environment("postgres"))
    assert database.rows(CHECKSUM) == before
    assert (
        database.rows(
            "select rows_changed from ops.mart_changes where mart = 'ticks' and kind = 'DAYS'"
        )
        == []
    )
    project = SmallProject(project.folder, database)
    project.dbt("run", "--select", "ticks")
    assert database.rows("select count(*), min(value), max(value) from marts.ticks") == [
        (NAMES, 20, 20)
    ]
