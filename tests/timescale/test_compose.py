"""`ops/compose.yaml`, as far as it can be checked without Docker: what it says is what README and storage page say of it."""

import re
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

# every key of a service that the Compose specification has and this file may use
KEYS_OF_A_SERVICE = {
    "command", "environment", "healthcheck", "image", "ports", "restart", "shm_size", "stop_grace_period", "volumes",
}  # fmt: skip
DURATION = re.compile(r"(\d+(h|m|s|ms))+")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "ops" / "compose.yaml").read_text(encoding="utf-8"))
    assert set(found) == {"name", "services", "volumes"}
    return dict(found)


@pytest.fixture(scope="module")
def service(compose: dict[str, Any]) -> dict[str, Any]:
    (service,) = compose["services"].values()
    assert set(service) <= KEYS_OF_A_SERVICE
    return dict(service)


def test_the_image_is_the_official_one_and_pinned_to_a_version_that_the_project_takes(
    service: dict[str, Any],
) -> None:
    # no host before it: wherever Docker is told to look
    found = re.fullmatch(r"timescale/timescaledb:(\d+)\.(\d+)\.\d+-pg(\d+)", service["image"])
    assert found, service["image"]
    assert (int(found[1]), int(found[2])) >= (2, 18)
    assert int(found[3]) >= 15


def test_only_this_machine_reaches_it_and_nobody_without_a_password(
    service: dict[str, Any],
) -> None:
    assert service["ports"] == ["127.0.0.1:${PGPORT:-5432}:5432"]
    # no value to fall back to: without one Docker refuses to start it
    assert re.fullmatch(r"\$\{PGPASSWORD:\?.+\}", service["environment"]["POSTGRES_PASSWORD"])
    assert "POSTGRES_HOST_AUTH_METHOD" not in service["environment"]


def test_data_outlive_the_container_and_its_health_is_known(
    compose: dict[str, Any], service: dict[str, Any]
) -> None:
    (volume,) = service["volumes"]
    name, folder = volume.split(":")
    assert name in compose["volumes"]
    assert folder == "/var/lib/postgresql/data"
    check = service["healthcheck"]
    assert check["test"][0] == "CMD-SHELL"
    # the server that makes the database on the first start listens at the socket alone, and is stopped again
    assert "pg_isready --host 127.0.0.1 " in check["test"][1]
    # `$$` is a `$` for the shell of the container
    assert re.findall(r"(?<!\$)\$(?!\$)", check["test"][1]) == []
    for key in ("interval", "timeout", "start_period"):
        assert DURATION.fullmatch(check[key])
    assert DURATION.fullmatch(service["stop_grace_period"])


def test_the_profile_finds_it_by_the_variables_that_it_reads(service: dict[str, Any]) -> None:
    asked = set(re.findall(r"\$\{(\w+)", str(service)))
    profile = (ROOT / "profiles" / "profiles.yml").read_text(encoding="utf-8")
    assert asked == {"PGUSER", "PGPASSWORD", "PGDATABASE", "PGPORT"}
    assert all(f"env_var('{name}'" in profile for name in asked)
    assert "env_var('WAREHOUSE_TARGET'" in profile
