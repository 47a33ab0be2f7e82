"""Rules as data: what the models check is what the seed lists, with the severity that the seed says."""

import csv
import re

from tests.conftest import ROOT

RULES = ROOT / "seeds" / "reference" / "quality_rules.csv"
SHARED = {"int_daily_prices__unioned": ROOT / "macros" / "daily_prices" / "daily_price_rows.sql"}
# a rule in a model: what a condition yields, and the name of the list that it goes into
YIELDED = re.compile(r"(?:\bthen|\belse)\s*'([A-Z0-9_]+)'|'([A-Z0-9_]+)'::text(?= as)|\bas\s+(\w+)")
LISTS = {
    "broken_rules": "reject", "own_broken_rules": "reject", "broken_row_rules": "reject", "held_rules": "reject",
    "broken_group_rules": "reject", "warned_rules": "warn",
}  # fmt: skip


def checked_models() -> dict[str, str]:
    """Where the rules of each dataset are checked, as the quality views say."""
    found = {}
    for view in ("rejected_rows", "warned_rows"):
        text = (ROOT / "models" / "quality" / f"{view}.sql").read_text(encoding="utf-8")
        found |= dict(re.findall(r"'(\w+)': \['(int_\w+)'", text))
    return found


def rules_of(model: str) -> set[tuple[str, str]]:
    """Rules that a model can yield, each with its severity."""
    path = SHARED.get(model) or next((ROOT / "models" / "intermediate").rglob(f"{model}.sql"))
    found: set[tuple[str, str]] = set()
    waiting: set[str] = set()
    text = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
    for rule, constant, name in YIELDED.findall(text):
        if rule or constant:
            waiting.add(rule or constant)
        else:
            found |= {(one, LISTS[name]) for one in waiting if name in LISTS}
            waiting.clear()
    return found


def test_every_rule_of_a_model_stands_in_the_seed_with_its_severity_and_the_reverse() -> None:
    with RULES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    listed = {(row["dataset"], row["rule_id"], row["severity"]) for row in rows}
    assert len(listed) == len(rows)
    checked = {
        (dataset, rule, severity)
        for dataset, model in checked_models().items()
        for rule, severity in rules_of(model)
    }
    assert checked == listed
    assert all(row["description_ko"] and row["description_en"] and row["rule_source"] for row in rows)  # fmt: skip


def test_rules_that_no_review_can_lift_are_rules() -> None:
    macro = (ROOT / "macros" / "incremental" / "reviewed_exceptions.sql").read_text(
        encoding="utf-8"
    )
    named = macro[macro.index("rules_without_exception()") : macro.index("{%- endmacro %}")]
    with RULES.open(encoding="utf-8", newline="") as file:
        known = {row["rule_id"] for row in csv.DictReader(file)}
    assert set(re.findall(r"'([A-Z0-9_]+)'", named)) <= known
