"""A new listing, which the vendor's master lacks on its listing day."""

from collections.abc import Callable

from sandbox.simulator.server import running_simulator
from tests.conftest import Database


def test_a_new_listing_gets_its_first_bar_the_day_after(
    new_database: Callable[..., Database],
) -> None:
    database = new_database(sample=True)
    for day in ("2026-03-11", "2026-03-12"):
        with database.connect() as connection:
            connection.execute("update ops.warehouse set sample_now = %s", [f"{day} 20:30+09"])
        with running_simulator(now=f"{day}T20:30:00+09:00") as running:
            run = database.loaders(
                "load", "--source", "infomax", "--from", "2026-03-10", **running.environment
            )
        assert run.returncode == 0, run.stderr
    assert database.rows(
        "select count(*) from raw.infomax__stock_hist where code = '9900A0' and date = '20260311'"
    ) == [(1,)]
