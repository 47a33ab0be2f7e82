"""Documentation and layering rules, read from dbt's own manifest; needs no database."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYER_PREFIX = {"staging": "stg_", "intermediate": "int_"}
HANGUL = re.compile(r"[가-힣]")


@cache
def manifest() -> dict[str, Any]:
    target = ROOT / "build" / "dbt" / "manifest"
    subprocess.run(
        [
            Path(sys.executable).parent / "dbt",
            "parse",
            "--target-path",
            target,
            "--log-path",
            target,
        ],
        cwd=ROOT,
        env=os.environ
        | {"DBT_PROFILES_DIR": "profiles", "PGHOST": "127.0.0.1", "PGUSER": "nobody"},
        check=True,
        capture_output=True,
    )
    parsed: dict[str, Any] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return parsed


def models(layer: str) -> list[dict[str, Any]]:
    return [
        node
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] == layer
    ]


def test_every_mart_has_description_grain_owner_contract_and_key() -> None:
    asked: dict[str, set[str]] = {}
    for node in manifest()["nodes"].values():
        if node["resource_type"] == "test" and node.get("test_metadata"):
            asked.setdefault(node["attached_node"], set()).add(node["test_metadata"]["name"])
    for mart in models("marts"):
        meta = mart["config"]["meta"]
        is_view = mart["config"]["materialized"] == "view"
        # no constraint holds a view to its key: a test asks for it
        has_key = (
            bool(
                asked.get(mart["unique_id"], set()) & {"unique_combination", "unique", "same_keys"}
            )
            if is_view
            else any(c["type"] == "primary_key" for c in mart["constraints"])
        )
        assert mart["description"], mart["name"]
        assert {"grain", "owner"} <= meta.keys(), mart["name"]
        assert mart["config"]["contract"]["enforced"], mart["name"]
        assert has_key, mart["name"]


def test_every_column_of_a_mart_is_described_in_both_languages() -> None:
    for mart in models("marts"):
        for column in mart["columns"].values():
            where = f"{mart['name']}.{column['name']}"
            assert column["data_type"], where
            assert HANGUL.match(column["description"]), f"{where}: begins with the Korean term"
            assert re.search(r"\([A-Za-z ]+", column["description"]), (
                f"{where}: then the English one"
            )
            assert {"name_ko", "name_en"} <= column["config"]["meta"].keys(), where


def test_money_and_counts_carry_their_unit() -> None:
    for mart in models("marts"):
        for column in mart["columns"].values():
            if column["data_type"] == "text":
                continue  # values of any field, in words
            if re.search(r"(_price|_value|market_cap)$", column["name"]):
                assert column["config"]["meta"].get("unit") == "KRW", column["name"]
            if re.search(r"(volume|_shares|shares_outstanding)$", column["name"]):
                assert column["config"]["meta"].get("unit") == "shares", column["name"]


def test_every_raw_column_is_described() -> None:
    for source in manifest()["sources"].values():
        assert source["description"], source["name"]
        for column in source["columns"].values():
            assert column["description"], f"{source['name']}.{column['name']}"


def test_the_storage_page_says_what_readme_and_models_do() -> None:
    page = manifest()["docs"]["doc.korean_market_warehouse.storage"]["block_contents"]
    (refreshed,) = re.findall(r"`dbt run --full-refresh --select ([^`]+)`", page)
    assert sorted(refreshed.split()) == sorted(
        node["name"]
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model" and "timeseries" in node["config"]["meta"]
    )
    (measured,) = re.findall(
        r"minute bars on disk, timescale .*?([\d.]+)× smaller",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    )
    assert f"{float(measured):.1f} times smaller" in page


@pytest.mark.parametrize("layer", ["staging", "intermediate", "quality"])
def test_every_inner_model_and_column_is_described_in_both_languages(layer: str) -> None:
    for model in models(layer):
        assert HANGUL.match(model["description"]), f"{model['name']}: begins with the Korean term"
        assert model["columns"], f"{model['name']}: lists its columns"
        for column in model["columns"].values():
            where = f"{model['name']}.{column['name']}"
            assert HANGUL.match(column["description"]), f"{where}: begins with the Korean term"
            assert re.search(r"\([A-Za-z ]+", column["description"]), (
                f"{where}: then the English one"
            )


def test_every_seed_column_is_described() -> None:
    seeds = [node for node in manifest()["nodes"].values() if node["resource_type"] == "seed"]
    for seed in seeds:
        assert HANGUL.match(seed["description"]), seed["name"]
        header = (ROOT / seed["original_file_path"]).read_text(encoding="utf-8").splitlines()[0]
        assert set(seed["columns"]) == set(header.split(",")), seed["name"]
        for column in seed["columns"].values():
            assert HANGUL.match(column["description"]), f"{seed['name']}.{column['name']}"


def test_every_macro_and_argument_is_described() -> None:
    for macro in manifest()["macros"].values():
        if macro["package_name"] != manifest()["metadata"]["project_name"]:
            continue
        assert macro["description"], macro["name"]
        if macro["name"].startswith("materialization_"):
            continue  # has no arguments
        # of a generic test dbt knows no arguments: they stand in its description
        signature = re.search(r"{%-?\s*(macro|test)\s+\w+\(([^)]*)\)", macro["macro_sql"])
        assert signature, macro["name"]
        kind, names = signature[1], re.findall(r"(\w+)(?:\s*=[^,]*)?", signature[2])
        if kind == "macro":
            assert [argument["name"] for argument in macro["arguments"]] == names, macro["name"]
            for argument in macro["arguments"]:
                assert argument["type"], f"{macro['name']}({argument['name']})"
                assert argument["description"], f"{macro['name']}({argument['name']})"
        else:
            for name in names[1:]:
                assert f"`{name}`" in macro["description"], f"{macro['name']}({name})"


def test_every_test_is_of_one_kind() -> None:
    for node in manifest()["nodes"].values():
        if node["resource_type"] == "test":
            kinds = {"contract", "integrity", "market", "reconcile"} & set(node["tags"])
            assert len(kinds) == 1, f"{node['name']}: {sorted(kinds)}"


def test_a_view_is_tested_in_the_window_of_its_table() -> None:
    """The newest day of a view would be looked for in all of its history, by every build."""
    nodes = manifest()["nodes"]
    for node in nodes.values():
        if node["resource_type"] == "test" and node["config"].get("where") == "__recent__":
            tested = nodes[node["attached_node"]]
            named = f"model.korean_market_warehouse.{tested['config']['meta'].get('window_of')}"
            table = nodes.get(named, tested)
            assert table["config"]["materialized"] != "view", f"{tested['name']}: meta.window_of"


def test_every_generic_test_has_a_word_of_the_audit_and_a_line_in_the_readme() -> None:
    words = (ROOT / "macros" / "runs" / "write_audit.sql").read_text(encoding="utf-8")
    readme = (ROOT / "tests" / "generic" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "tests" / "generic").glob("*.sql"):
        assert f"'{path.stem}': '" in words, path.stem
        assert f"| `{path.stem}` |" in readme, path.stem


@pytest.mark.parametrize("layer", ["intermediate", "marts", "quality"])
def test_only_staging_reads_sources(layer: str) -> None:
    for model in models(layer):
        assert not [id_ for id_ in model["depends_on"]["nodes"] if id_.startswith("source.")], (
            model["name"]
        )


def test_a_staging_model_reads_one_raw_table() -> None:
    for model in models("staging"):
        assert (
            len([id_ for id_ in model["depends_on"]["nodes"] if id_.startswith("source.")]) == 1
        ), model["name"]


@pytest.mark.parametrize("layer", ["staging", "intermediate"])
def test_names_follow_their_layer(layer: str) -> None:
    for model in models(layer):
        assert re.fullmatch(LAYER_PREFIX[layer] + r"[a-z]+(_[a-z]+)*__[a-z_]+", model["name"])


def test_every_vendor_table_has_a_staging_model() -> None:
    read = {id_ for model in models("staging") for id_ in model["depends_on"]["nodes"]}
    assert set(manifest()["sources"]) - read == set()
