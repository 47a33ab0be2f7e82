"""The Makefile and `python -m sandbox`, run in a clone as a user would."""

import os
import pty
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from sandbox.clone import record
from tests.conftest import ROOT, Database
from tests.sandbox.conftest import Clone


def test_the_default_goal_lists_every_target_with_what_it_does(clone: Clone) -> None:
    listed = clone.make()
    assert listed.returncode == 0
    names = {line.split()[1] for line in listed.stdout.splitlines() if line.startswith("make ")}
    rules = re.findall(
        r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert names == set(rules)
    assert {"setup", "up", "down", "psql", "load", "build", "demo", "test"} <= names
    assert clone.make("help").stdout == listed.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("PYTHON=",), "Python 3.11, 3.12 or 3.13 is needed"),
        (("PYTHON=./no-pip",), "./no-pip has no pip: install it"),
    ],
)
def test_set_up_says_what_this_machine_lacks(
    new_clone: Callable[[], Clone], arguments: tuple[str, ...], words: str
) -> None:
    fresh = new_clone()
    shutil.rmtree(fresh.root / ".boot")
    (fresh.root / ".venv/.stamp").unlink()
    (fresh.root / "no-pip").write_text("#!/bin/sh\nexit 1\n")
    (fresh.root / "no-pip").chmod(0o755)
    refused = fresh.make("setup", *arguments)
    assert refused.returncode != 0
    assert words in refused.stderr


def test_load_passes_its_settings_on(clone: Clone) -> None:
    shown = clone.make(
        "-n", "load", "SOURCE=marcap", "DATASET=ohlcv_daily", "FROM=2024-01-02", "TO=2024-01-31",
        "SCOPE=005930", "REFRESH=1", "STRICT=1",
    )  # fmt: skip
    line = shown.stdout.splitlines()[-1].rstrip()
    assert line.endswith(
        "load --source 'marcap' --dataset 'ohlcv_daily' --from '2024-01-02' --to '2024-01-31'"
        " --scope '005930' --refresh --strict"
    )
    for nothing in ([], ["REFRESH=0", "STRICT=0", "LIVE=0"]):
        assert clone.make("-n", "load", *nothing).stdout.rstrip().endswith("-m loaders load")
    assert clone.make("-n", "load", "LIVE=1").stdout.split()[-2:] == ["load", "--live"]


def test_psql_brings_the_server_up_and_prints_nothing_of_its_own(
    new_clone: Callable[[], Clone],
) -> None:
    fresh = new_clone()
    asked = fresh.make("-s", "psql", "ARGS=-XAt", stdin="select 1")
    assert (asked.stdout, asked.stderr, asked.returncode) == ("1\n", "", 0)
    begun = time.monotonic()
    quoted = fresh.make("-s", "psql", """ARGS=-Atc "select 'a b', count(*) from raw.fetches" """)
    assert (quoted.stdout, quoted.stderr) == ("a b|0\n", "")
    assert time.monotonic() - begun < 2
    failed = fresh.make("-s", "psql", "ARGS=-XAt -v ON_ERROR_STOP=1", stdin="select nonsense")
    assert failed.returncode != 0
    assert 'column "nonsense" does not exist' in failed.stderr


def test_up_records_the_server_and_keeps_the_users_lines(new_clone: Callable[[], Clone]) -> None:
    fresh = new_clone()
    env_file = fresh.root / ".env"
    env_file.write_text("# mine\nINFOMAX_TOKEN='a b#c'\nEMPTY=\nlast_line=without newline")
    env_file.chmod(0o644)
    up = fresh.make("up")
    assert up.returncode == 0, up.stderr
    assert re.fullmatch(
        r"up: database warehouse \(real data\) on 127\.0\.0\.1:\d+", up.stdout.strip()
    )
    text = env_file.read_text()
    assert text.startswith("# mine\nINFOMAX_TOKEN='a b#c'\nEMPTY=\nlast_line=without newline\n")
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    settings = fresh.settings()
    assert settings["DBT_PROFILES_DIR"] == "profiles"
    assert settings["EMBEDDED_PGDATABASE"] == "warehouse"
    with psycopg.connect(
        host="127.0.0.1",
        port=settings["EMBEDDED_PGPORT"],
        user=settings["EMBEDDED_PGUSER"],
        password=settings["EMBEDDED_PGPASSWORD"],
        dbname="warehouse",
    ) as connection:
        row = connection.execute("select count(*) from raw.infomax__stock_info").fetchone()
    assert row == (0,)
    before = env_file.stat().st_mtime_ns
    assert fresh.make("up").stdout == up.stdout
    assert env_file.stat().st_mtime_ns == before

    env_file.unlink()  # a lost .env is written again from what the server knows
    assert fresh.make("-s", "psql", "ARGS=-XAt", stdin="select 1").stdout == "1\n"
    assert fresh.settings()["EMBEDDED_PGPASSWORD"] == settings["EMBEDDED_PGPASSWORD"]

    assert fresh.make("down").stdout == "the embedded server is stopped\n"
    assert fresh.make("down").stdout == "the embedded server is not running\n"
    assert fresh.run([sys.executable, "-m", "sandbox", "status"]).returncode == 1
    again = fresh.make("up")
    assert again.stdout == up.stdout, "the port stays"


def test_two_clones_run_side_by_side(clone: Clone, new_clone: Callable[[], Clone]) -> None:
    other = new_clone()
    for one in (clone, other):
        assert one.make("up").returncode == 0
    clone.make("-s", "psql", "ARGS=-q", stdin="create table public.only_here (n int)")
    query = "select to_regclass('public.only_here') is not null"
    assert clone.make("-s", "psql", "ARGS=-XAt", stdin=query).stdout == "t\n"
    assert other.make("-s", "psql", "ARGS=-XAt", stdin=query).stdout == "f\n"
    # a user's own PGPORT means a server of his and never the embedded one
    assert clone.make("-s", "psql", "ARGS=-XAt", stdin="select 1", PGPORT="1").stdout == "1\n"


def test_a_taken_port_is_one_line_and_exit_code_1(new_clone: Callable[[], Clone]) -> None:
    fresh = new_clone()
    assert fresh.make("up").returncode == 0
    assert fresh.make("down").returncode == 0
    port = fresh.settings()["EMBEDDED_PGPORT"]
    listener = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", listener, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        refused = fresh.run([sys.executable, "-m", "sandbox", "up"])
        other.communicate(b"\n")
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert f"port {port} is taken by another program" in line


def test_use_switches_the_database_and_names_what_it_holds(clone: Clone) -> None:
    used = clone.make("use", "DB=demo")
    assert used.returncode == 0, used.stderr
    assert "database demo (SAMPLE data, an invented market)" in used.stdout
    assert clone.settings()["EMBEDDED_PGDATABASE"] == "demo"
    query = "select current_database() || ' ' || kind from ops.warehouse"
    assert clone.make("-s", "psql", "ARGS=-XAt", stdin=query).stdout == "demo SAMPLE\n"
    assert clone.make("use", "DB=warehouse").returncode == 0
    assert clone.make("-s", "psql", "ARGS=-XAt", stdin=query).stdout == "warehouse REAL\n"
    refused = clone.make("use", "DB=No-Such Name")
    assert refused.returncode != 0
    assert "is no name for a database" in refused.stderr
    assert clone.settings()["EMBEDDED_PGDATABASE"] == "warehouse"
    assert "say which" in clone.make("use").stderr


def test_on_a_terminal_psql_says_which_database_it_is_on(clone: Clone) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "psql", "-XAtc", "select 1"],
        cwd=clone.root,
        env=clone.environment(),
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        output, said = process.communicate(timeout=60)
    os.close(leader)
    os.close(follower)
    assert output == "1\n"
    assert said.startswith("database warehouse (real data) on 127.0.0.1:")


def test_a_named_server_is_used_and_never_started_or_stopped(
    new_clone: Callable[[], Clone], new_database: Callable[..., Database]
) -> None:
    fresh, database = new_clone(), new_database()
    with database.connect() as connection:
        connection.execute("drop schema raw, ops cascade")
    up = fresh.make("up", **database.environment)
    assert up.returncode == 0, up.stderr
    assert database.rows("select kind from ops.warehouse") == [("REAL",)]
    assert not fresh.server.exists
    assert fresh.settings() == {"DBT_PROFILES_DIR": "profiles"}
    down = fresh.make("down", **database.environment)
    assert down.returncode == 0
    assert "nothing of ours to stop" in down.stdout
    asked = fresh.make(
        "-s", "psql", "ARGS=-XAt", stdin="select current_database()", **database.environment
    )
    assert asked.stdout.strip() == database.environment["PGDATABASE"]
    refused = fresh.make("use", "DB=demo", **database.environment)
    assert refused.returncode != 0
    assert "choose its database by PGDATABASE" in refused.stderr


def test_a_bare_dbt_works_in_the_activated_environment(clone: Clone) -> None:
    assert clone.make("up").returncode == 0
    listed = clone.run(["sh", "-c", ". .venv/bin/activate && dbt debug"])
    assert listed.returncode == 0, listed.stdout
    assert "All checks passed" in listed.stdout


def test_exec_gives_back_the_commands_exit_code(clone: Clone) -> None:
    done = clone.run([sys.executable, "-m", "sandbox", "exec", "sh", "-c", "exit 3"])
    assert done.returncode == 3


@pytest.fixture(scope="module")
def as_nobody() -> tuple[str, ...]:
    """What stands before a command to run it as the user nobody."""
    become = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    if os.geteuid() != 0 or shutil.which(become[0]) is None:
        pytest.skip("only root can become somebody else, by setpriv")
    # by way of a shell: setpriv itself still opens what is closed to nobody
    tried = [*become, "sh", "-c", 'exec "$0" -c ""', sys.executable]
    if subprocess.run(tried, check=False, cwd="/", capture_output=True).returncode != 0:
        pytest.skip(f"the user nobody cannot run {Path(sys.executable).resolve()}")
    return become


def test_an_ordinary_user_runs_his_own_server(
    new_clone: Callable[[], Clone], as_nobody: tuple[str, ...]
) -> None:
    fresh = new_clone()
    for path in (fresh.root, *fresh.root.rglob("*")):
        shutil.chown(path, "nobody", "nogroup") if not path.is_symlink() else None
    asked = fresh.make(
        "-s", "psql", "ARGS=-XAt", stdin="select 1", prefix=as_nobody, HOME="/nonexistent"
    )
    assert (asked.stdout, asked.stderr) == ("1\n", "")
    assert (fresh.root / ".postgres/data").owner() == "nobody"
    assert (fresh.root / ".env").owner() == "nobody"
    # root may help out, and the server stays its user's
    assert fresh.make("down").returncode == 0
    assert fresh.make("up").returncode == 0
    assert fresh.server.account.name == "nobody"
    assert (fresh.root / ".env").owner() == "nobody"


def test_another_users_server_is_named_as_such(
    new_clone: Callable[[], Clone], as_nobody: tuple[str, ...]
) -> None:
    fresh = new_clone()
    assert fresh.make("up").returncode == 0
    owner = fresh.server.account.name
    refused = fresh.run([*as_nobody, "sh", "-c", f"{sys.executable} -m sandbox psql"])
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert f"belongs to user {owner}" in line or ".env is closed to this user" in line


def test_recording_the_same_twice_leaves_the_file_alone(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    record({"A": "1", "B": "x y"}, env_file)
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    before = env_file.stat().st_mtime_ns, env_file.read_text()
    record({"A": "1", "B": "x y"}, env_file)
    assert (env_file.stat().st_mtime_ns, env_file.read_text()) == before
    record({"A": "2"}, env_file)
    assert env_file.read_text() == before[1].replace("A=1", "A=2")


def test_the_demo_fills_the_marts_whatever_pghost_says_and_a_second_run_loads_nothing(
    new_clone: Callable[[], Clone],
) -> None:
    fresh = new_clone()
    (fresh.root / ".env").write_text("PGHOST=127.0.0.2\nPGPORT=1\n")  # nobody answers there
    first = fresh.make("demo")
    assert first.returncode == 0, first.stdout + first.stderr
    table = dict(re.findall(r"^(\w+) +([\d,]+)   ", first.stdout, re.MULTILINE))
    assert {"stocks", "ohlcv_daily", "investor_trading", "trading_calendar"} <= table.keys()
    assert int(table["ohlcv_daily"].replace(",", "")) > 10_000
    assert "sample data, no real prices" in first.stdout
    assert "PGHOST=127.0.0.2 is set" in first.stdout
    with fresh.server.connect("demo") as connection:
        query = "select count(*), max(ledger_id) from raw.fetch_cells"
        cells = connection.execute(query).fetchone()
    second = fresh.make("demo")
    assert second.returncode == 0, second.stdout + second.stderr
    again = dict(re.findall(r"^(\w+) +([\d,]+)   ", second.stdout, re.MULTILINE))
    assert again | {"data_quality_checks": ""} == table | {"data_quality_checks": ""}
    with fresh.server.connect("demo") as connection:
        assert connection.execute(query).fetchone() == cells

    # from here on plain commands are on the sample database, with the simulator behind them
    env_file = fresh.root / ".env"
    env_file.write_text(env_file.read_text().replace("PGHOST=127.0.0.2\nPGPORT=1\n", ""))
    loaded = fresh.make(
        "load", "SOURCE=krx", "DATASET=ohlcv_daily", "FROM=2026-10-06", "TO=2026-10-06", "REFRESH=1"
    )
    assert loaded.returncode == 0, loaded.stderr
    with fresh.server.connect("demo") as connection:
        assert connection.execute(query).fetchone() != cells
