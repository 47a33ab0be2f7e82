"""dbt and the loaders, each run in a process of its own that has their libraries loaded already.

Reading the libraries takes dbt and the loaders two seconds of processor time at every start, what dbt makes of its own
classes then one or two more, and the tests start them many hundred times. A forkserver of the standard library does that
once; each run is then a fork of it that executes what a user starts (the script `dbt`, the module `loaders`) with an
environment, a working folder and an output of its own. The tests of the commands, of crashes and of two runs at once start
whole programs, as users do.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

DBT = Path(sys.executable).parent / "dbt"
"""The script; every other program is a module."""

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.readied_dbt", "loaders.__main__"])


def run(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What subprocess.run() gives for `dbt …` or `python -m loaders …`, output captured, nothing to read from.

    Args:
        command: the name of the program ("dbt" or "loaders") and its arguments.
        folder: to run in.
        environment: the whole environment of the process.
    """
    with tempfile.TemporaryDirectory() as made:
        texts = [Path(made) / name for name in ("output", "errors")]
        process = _PROCESSES.Process(
            target=_execute, args=(list(command), str(folder), dict(environment), texts)
        )
        process.start()
        process.join()
        code = process.exitcode
        process.close()
        output, errors = (text.read_text(encoding="utf-8") for text in texts)
    assert code is not None
    return subprocess.CompletedProcess(list(command), code, output, errors)


def run_whole(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """The same as users start it, libraries read anew: what a benchmark times, and any other module of the project."""
    program, *arguments = command
    start = [str(DBT)] if program == "dbt" else [sys.executable, "-m", program]
    return subprocess.run(
        [*start, *arguments], cwd=folder, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _execute(
    command: list[str], folder: str, environment: dict[str, str], texts: list[Path]
) -> None:
    """In the fork: become the program."""
    for descriptor, text in enumerate(texts, start=1):
        os.dup2(os.open(text, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(command)
    if command[0] == "dbt":
        runpy.run_path(str(DBT), run_name="__main__")
    else:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
