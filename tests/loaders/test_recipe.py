"""What the README's recipe for a new source asks for is there for every source: forgotten, it would say nothing."""

import csv
import tomllib
from types import SimpleNamespace

import pytest

from loaders import krx
from loaders.catalogue import SOURCES
from loaders.collect import Collection
from loaders.config import PROJECT_ROOT
from loaders.errors import UsageError

NOT_CHOSEN_FROM = {("sectors", "krx")}
"""The data portal's industries, which are collected by name and are in no mart."""


def test_an_endpoint_whose_fields_are_not_described_is_named() -> None:
    with pytest.raises(UsageError, match=r"'bars'.*models/staging/krx/_krx__sources\.yml"):
        Collection.table(SimpleNamespace(source=krx.SOURCE), "bars")  # type: ignore[arg-type]


def test_every_source_has_its_rank() -> None:
    """A source without one would come after all others, and two of them in the order of their names."""
    with (PROJECT_ROOT / "seeds/reference/source_priorities.csv").open(encoding="utf-8") as file:
        ranked = {(row["dataset"], row["source"]) for row in csv.DictReader(file)}
    datasets = {dataset for dataset, _ in ranked}
    told = {
        (dataset, source.name)
        for source in SOURCES
        for feed in source.feeds
        for dataset in feed.datasets
        if dataset in datasets
    }
    assert told - ranked == NOT_CHOSEN_FROM


def test_every_source_stands_in_the_contract_that_keeps_sources_apart() -> None:
    settings = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (apart,) = (
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "independence"
    )
    assert sorted(apart["modules"]) == sorted(f"loaders.{source.name}" for source in SOURCES)
