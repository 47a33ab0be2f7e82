"""Runs the simulator in a process of its own, for the demo and for tests."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import requests

from loaders.config import PROJECT_ROOT
from sandbox.simulator.app import environment

SEED = 20260102
NOW = "2026-10-08T20:30:00+09:00"
START_SECONDS = 60


@dataclass(frozen=True)
class Simulator:
    """A running simulator.

    Attributes:
        base_url: its address on loopback.
        environment: variables that point the loaders at it, without any limit of rate.
    """

    base_url: str
    environment: dict[str, str]

    def only(self, *prefixes: str) -> "Simulator":
        """The same simulator, as a user meets it who has only the sources whose variables begin like this."""
        kept = {n: value for n, value in self.environment.items() if n.startswith(prefixes)}
        return replace(self, environment=kept)

    def plant_fault(self, **fault: Any) -> None:
        """Plant a misbehaviour; see `sandbox.simulator.stage.Fault`.

        Raises:
            ValueError: there is no such fault.
        """
        planted = requests.post(f"{self.base_url}/_faults", json=fault, timeout=10)
        if planted.status_code == 400:
            raise ValueError(planted.json()["error"])
        planted.raise_for_status()

    def clear_faults(self) -> None:
        """Take back all planted misbehaviour."""
        requests.delete(f"{self.base_url}/_faults", timeout=10).raise_for_status()

    def set_clock(self, now: str) -> None:
        """Make it another time there, ISO 8601 with offset: what is not published by then is not told."""
        requests.post(f"{self.base_url}/_clock", json={"now": now}, timeout=10).raise_for_status()

    def requests(self) -> dict[str, int]:
        """How often each path was asked."""
        counts: dict[str, int] = requests.get(f"{self.base_url}/_requests", timeout=10).json()
        return counts

    def rates(self) -> dict[str, dict[str, float]]:
        """By vendor prefix: requests, peak_per_second, peak_per_minute, seconds."""
        rates: dict[str, dict[str, float]] = requests.get(
            f"{self.base_url}/_rates", timeout=10
        ).json()
        return rates

    def forget_requests(self) -> None:
        """Start counting requests anew."""
        requests.delete(f"{self.base_url}/_requests", timeout=10).raise_for_status()


@contextmanager
def running_simulator(
    *, seed: int = SEED, now: str = NOW, row_cap: int = 1000, size: str = "small"
) -> Iterator[Simulator]:
    """Start a simulator on a free port, wait until it answers, and stop it in the end.

    Raises:
        RuntimeError: it did not come up; its own words are in the message.
    """
    command = [sys.executable, "-m", "sandbox.simulator", "--port", "0", "--seed", str(seed)]
    process = subprocess.Popen(  # noqa: S603 - our own module
        [*command, "--now", now, "--row-cap", str(row_cap), "--size", size],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(
                "the vendor simulator ended before it was ready; its message is above"
            )
        base_url = json.loads(line)["base_url"]
        _wait_for(f"{base_url}/_health")
        yield Simulator(base_url, environment(base_url))
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            requests.get(url, timeout=2).raise_for_status()
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the vendor simulator does not answer at {url}")
