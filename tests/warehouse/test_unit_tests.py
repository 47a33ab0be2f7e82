"""dbt's unit tests: what a rule makes of rows that a person wrote down. They need tables, and no data in them."""

import re
from collections.abc import Callable

from tests.conftest import Database
from tests.warehouse.test_manifest import manifest


def test_every_unit_test_passes(new_database: Callable[..., Database]) -> None:
    built = new_database().dbt("build", "--exclude-resource-type", "test")
    assert built.returncode == 0, built.stdout
    passed = re.search(r"Finished running .*?(\d+) unit tests", built.stdout)
    assert passed
    assert int(passed[1]) == len(manifest()["unit_tests"])
