"""The macro that joins a fact to the version valid on its day, at the edges of both times."""

from collections.abc import Callable

import pytest

from tests.conftest import Database

QUERY = """
with versions (stock_code, valid_from, valid_to, known_from, known_to, name) as (
    values
    ('066970', date '2023-01-02', null::date, timestamptz '2023-01-03 08:00+09', timestamptz '2024-01-30 08:00+09',
        'KOSDAQ, no end'),
    ('066970', date '2023-01-02', date '2024-01-29', timestamptz '2024-01-30 08:00+09', null, 'KOSDAQ, ended'),
    ('066970', date '2024-01-29', null, timestamptz '2024-01-30 08:00+09', null, 'KOSPI')
),
facts (stock_code, day) as (values {facts})
select facts.day::text, listed.name
from facts
{{{{ as_of_join('versions', 'listed', 'listed.stock_code = facts.stock_code', 'facts.day' {known}) }}}}
order by 1
"""


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database()


def joined(database: Database, days: list[str], known: str = "") -> dict[object, object]:
    facts = ", ".join(f"('066970', date '{day}')" for day in days)
    compiled = database.dbt(
        "compile", "--quiet", "--inline", QUERY.format(facts=facts, known=known)
    )
    assert compiled.returncode == 0, compiled.stdout
    rows = database.rows(compiled.stdout)
    assert len(rows) == len(days), "a left join to one version at the most"
    return dict(rows)  # type: ignore[arg-type]


def test_the_version_of_the_day_as_believed_now(database: Database) -> None:
    days = ["2022-12-29", "2023-01-02", "2024-01-26", "2024-01-29"]
    assert joined(database, days) == {
        "2022-12-29": None,
        "2023-01-02": "KOSDAQ, ended",
        "2024-01-26": "KOSDAQ, ended",
        "2024-01-29": "KOSPI",
    }


def test_the_version_of_the_day_as_known_at_its_end(database: Database) -> None:
    days = ["2023-01-02", "2023-01-03", "2024-01-29", "2024-01-30"]
    assert joined(database, days, ", known_before=end_of_day('facts.day')") == {
        # its file was out the next morning
        "2023-01-02": None,
        "2023-01-03": "KOSDAQ, no end",
        "2024-01-29": "KOSDAQ, no end",
        "2024-01-30": "KOSPI",
    }


def test_what_becomes_known_at_a_moment_was_not_known_before_it(database: Database) -> None:
    at = ", known_before=\"timestamptz '{}'\""
    assert joined(database, ["2024-01-29"], at.format("2024-01-30 08:00+09")) == {
        "2024-01-29": "KOSDAQ, no end"
    }
    assert joined(database, ["2024-01-29"], at.format("2024-01-30 08:00:01+09")) == {
        "2024-01-29": "KOSPI"
    }
