"""Kills a loader, dbt or PostgreSQL as a power cut would, and says in which phase of its work it was hit.

A phase is read from outside: the victim is held with SIGSTOP, then its dlt folder, dbt's own log and what PostgreSQL says
of its sessions are looked at, and only then the signal falls. A phase that is too short to meet by chance is met by a lock
of another session, for which the victim has to wait there.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from sandbox.embedded import EmbeddedServer
from sandbox.simulator.server import Simulator
from tests.conftest import ROOT, WITHOUT_UNIT_TESTS, Database

PATIENCE_SECONDS = 180
NAME = "warehouse"
LOADER_PHASES = ("extract", "normalise", "load", "ledger")
BUILD_PHASES = ("staging", "marts", "snapshots", "audit")
PHASES = LOADER_PHASES + BUILD_PHASES
# a lock that lets everybody read and nobody write: who writes there waits in that phase
HOLDS = {
    "load": "raw.krx__stk_bydd_trd",
    "ledger": "raw.fetch_cells",
    "staging": "staging.stg_krx__stk_bydd_trd",
    "marts": "marts.ohlcv_daily",
    "snapshots": "ops.snapshot_progress",
    "audit": "quality.dbt_test_results",
}

log = logging.getLogger("crashes")


@dataclass(frozen=True)
class Hit:
    """A kill: who was killed, with which signal, while which program was at work, and in which phase."""

    phase: str
    victim: str
    at_random: bool
    seconds: float


@dataclass
class Work:
    """A loader or a build under way, in a process group of its own."""

    kind: str
    process: subprocess.Popen[bytes]
    folder: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def output(self) -> str:
        """What it has said so far."""
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes; one that has ended gets none."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Wait for its end."""
        return self.process.wait(timeout=PATIENCE_SECONDS)


@dataclass
class CrashSite:
    """A durable server of its own with one warehouse, and what is started on it."""

    server: EmbeddedServer
    simulator: Simulator
    folder: Path
    hits: list[Hit] = field(default_factory=list)
    _count: int = 0

    @property
    def database(self) -> Database:
        """The warehouse, wherever the server listens now."""
        return Database(self.server.environment(NAME))

    def begin(self, kind: str, *arguments: str) -> Work:
        """Start `load` or `build`; its scratch folder tells afterwards how far it came."""
        self._count += 1
        folder = self.folder / f"{self._count:03}-{kind}"
        folder.mkdir()
        if kind == "load":
            command = [sys.executable, "-m", "loaders", "load", *arguments]
        else:
            places = ["--target-path", str(self.folder / "target"), "--log-path", str(folder)]
            command = [str(Path(sys.executable).parent / "dbt"), "build", *arguments, *places]
        environment = {
            **self.database.process_environment(), **self.simulator.environment, **WITHOUT_UNIT_TESTS,
            "TMPDIR": str(folder), "DBT_PROFILES_DIR": "profiles", "DBT_LOG_FORMAT_FILE": "json", "DBT_LOG_LEVEL_FILE": "debug",
        }  # fmt: skip
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return Work(kind, process, folder)

    def finish(self, kind: str, *arguments: str) -> float:
        """A plain run to a good end; returns how long it took."""
        work = self.begin(kind, *arguments)
        assert work.end() == 0, work.output
        shutil.rmtree(work.folder)
        return time.monotonic() - work.started

    # --- kills

    def kill_in(self, phase: str, victim: str, *arguments: str) -> None:
        """Start what has this phase, meet it there, and kill the victim: `client`, `backend` or `server`."""
        kind = "load" if phase in LOADER_PHASES else "build"
        for _ in range(10):
            if phase == "extract":
                self.simulator.plant_fault(path="isu_base_info", kind="timeout", seconds=1.5)
            self.simulator.forget_requests()
            runs = self._runs()
            work = self.begin(kind, *arguments)
            with self._met(phase, work, runs):
                self._strike(work, victim, aim=phase)
            self.simulator.clear_faults()
            # normalising may be over between the look and the halt: the hit counts where it fell, and the next one comes
            if self.hits[-1].phase == phase:
                return
        raise AssertionError(f"{phase} was never met: {self.hits[-10:]}")

    @contextmanager
    def _met(self, phase: str, work: Work, runs: int) -> Iterator[None]:
        """A run is in a phase, held there by a lock where there is one for it; `runs` is how many builds there were."""
        if phase == "extract":
            _until(self._asks, work)
        elif phase == "normalise":
            _until(lambda: _packages(work, "extracted"), work, pause=0.0005)
        else:
            # what the start of a run does to these tables itself must be over; a load does not ask again for what the one
            # that was killed before it had received
            if work.kind == "load":
                stages = ("extracted", "normalized")
                _until(
                    lambda: self._asks() or any(_packages(work, stage) for stage in stages),
                    work,
                    pause=0.002,
                )
            elif phase == "audit":
                _until(lambda: self._has_nodes(work), work)
            else:
                _until(lambda: self._runs() > runs, work)
            with self._lock(HOLDS[phase]):
                _until(lambda: self._waits_for(HOLDS[phase]), work)
                yield
            return
        yield

    def kill_after(self, seconds: float, kind: str, victim: str, *arguments: str) -> bool:
        """Start a load or a build and kill the victim at an instant; False when it had ended before."""
        self.simulator.forget_requests()
        work = self.begin(kind, *arguments)
        with suppress(subprocess.TimeoutExpired):
            work.process.wait(timeout=seconds)
            assert work.process.returncode == 0, work.output
            return False
        self._strike(work, victim)
        return True

    def _strike(self, work: Work, victim: str, *, aim: str | None = None) -> None:
        seconds = time.monotonic() - work.started
        work.send(signal.SIGSTOP)
        phases = self._phases(work)
        # models run side by side
        phase = aim if aim in phases else phases[0]
        name = {"client": "loader" if work.kind == "load" else "dbt"}.get(
            victim, f"postgres {victim}"
        )
        self.hits.append(Hit(phase, name, aim is None, seconds))
        log.warning("SIGKILL to %s after %.2f s of %s, phase %s", name, seconds, work.kind, phase)
        if victim == "client":
            work.send(signal.SIGKILL)
            work.end()
            return
        os.kill(self._backend(work) if victim == "backend" else self._postmaster(), signal.SIGKILL)
        work.send(signal.SIGCONT)
        assert work.end() != 0 or aim is None, (
            "it did not notice that its server died\n" + work.output
        )
        self.server.start()
        _until(self._takes_connections)

    def _postmaster(self) -> int:
        return int((self.server.data / "postmaster.pid").read_text().splitlines()[0])

    def _backend(self, work: Work) -> int:
        """The process that serves the victim, the busiest first; of the server's own when it has none."""
        client = "dbt" if work.kind == "build" else "loaders"
        return int(str(self.database.rows(
            f"select pid from pg_stat_activity where pid <> pg_backend_pid() and backend_type <> 'logger'"
            f" order by coalesce(application_name, '') like '{client}%' desc, state is not distinct from 'active' desc limit 1"
        )[0][0]))  # fmt: skip

    def _takes_connections(self) -> bool:
        with suppress(psycopg.OperationalError):
            return self.database.rows("select 1") == [(1,)]
        return False

    # --- where a victim is

    def _phases(self, work: Work) -> list[str]:
        return [self._load_phase(work)] if work.kind == "load" else self._build_phases(work)

    def _load_phase(self, work: Work) -> str:
        if _packages(work, "normalized"):
            return "load"
        if _packages(work, "extracted"):
            return "normalise"
        if self.database.rows(
            "select from pg_stat_activity where application_name like 'loaders%' and state <> 'idle'"
            " and query ~ '(lock table|copy) raw.fetch|insert into raw.rejected|^COMMIT'"
        ):
            return "ledger"
        return "extract" if self._asks() else "start"

    def _build_phases(self, work: Work) -> list[str]:
        """From dbt's log, what had begun and not ended; whether results are written is PostgreSQL's word."""
        if self.database.rows(
            "select from pg_stat_activity where application_name = 'dbt' and state <> 'idle'"
            " and query ~* 'insert into quality.dbt_test_results'"
        ):
            return ["audit"]
        running: dict[object, str] = {}
        names = {"snapshot": "snapshots", "test": "tests", "seed": "seeds"}
        for line in _lines(work.folder / "dbt.log"):
            node = line["data"].get("node_info")
            if not isinstance(node, dict):
                continue
            if line["info"]["name"] == "NodeStart":
                kind = node["resource_type"]
                running[node["unique_id"]] = names.get(kind) or node["node_relation"]["schema"]
            elif line["info"]["name"] == "NodeFinished":
                running.pop(node["unique_id"], None)
        order = ("snapshots", "marts", "staging", "intermediate", "quality", "seeds", "tests")
        if found := [phase for phase in order if phase in running.values()]:
            return found
        return ["between nodes" if self._has_nodes(work) else "start"]

    def _has_nodes(self, work: Work) -> bool:
        return any(line["info"]["name"] == "NodeStart" for line in _lines(work.folder / "dbt.log"))

    def _runs(self) -> int:
        return int(str(self.database.rows("select count(*) from ops.build_runs")[0][0]))

    def _asks(self) -> bool:
        return any("krx-openapi" in path for path in self.simulator.requests())

    @contextmanager
    def held(self, relation: str) -> Iterator[None]:
        """Nobody writes to a relation meanwhile, and the build that is under way waits for it."""
        _until(lambda: self.database.rows("select from ops.build_runs where ended_at is null"))
        with self._lock(relation):
            _until(lambda: self._waits_for(relation))
            yield

    @contextmanager
    def _lock(self, relation: str) -> Iterator[None]:
        holder = self.database.connect()
        holder.autocommit = False
        holder.execute(f"lock table {relation} in share mode")
        try:
            yield
        finally:
            # a server that was killed has let go already
            with suppress(psycopg.OperationalError):
                holder.close()

    def _waits_for(self, relation: str) -> bool:
        return bool(
            self.database.rows(
                f"select from pg_locks where not granted and relation = '{relation}'::regclass"
            )
        )

    # --- what is left behind

    def strangers(self) -> list[tuple[object, ...]]:
        """Sessions and locks that a program has left on the server."""
        return self.database.rows(
            "select distinct activity.application_name, activity.state, activity.query from pg_stat_activity as activity"
            " left join pg_locks as locks using (pid)"
            " where activity.pid <> pg_backend_pid() and activity.backend_type in ('client backend', 'parallel worker')"
        )


def _packages(work: Work, stage: str) -> list[Path]:
    """Packages of dlt that have reached a stage: `extracted` waits for normalising, `normalized` for loading."""
    place = {"extracted": "normalize/extracted", "normalized": "load/normalized"}[stage]
    return list(work.folder.glob(f"dlt-*/raw_answers/{place}/*/*"))


def _lines(path: Path) -> Iterator[dict[str, dict[str, Any]]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(json.JSONDecodeError):  # the last line may be half a line
                yield json.loads(line)


def _until(condition: Callable[[], object], work: Work | None = None, pause: float = 0.02) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert work is None or work.process.poll() is None, (
            "it ended before it got there\n" + work.output
        )
        assert time.monotonic() < deadline, work.output if work else "nothing happens"
        time.sleep(pause)
