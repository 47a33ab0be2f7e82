"""The indices that are collected, and what each vendor calls them: the seed `indices`, which dbt reads too."""

import csv
from dataclasses import dataclass
from functools import cache

from loaders.config import PROJECT_ROOT

SEED = PROJECT_ROOT / "seeds" / "reference" / "indices.csv"


@dataclass(frozen=True)
class Index:
    """An index of the exchange.

    Attributes:
        name: canonical name, as in the marts: KOSPI, KOSPI200, …
        infomax_code: Infomax's code, or empty where it is not known.
        krx_family: the exchange's index family (1 KOSPI, 2 KOSDAQ, 5 KRX), as its sites ask for it.
        krx_code: the exchange's three-digit code within the family.
        expected_members: how many members it has by its rules, or None where that is not fixed.
    """

    name: str
    infomax_code: str
    krx_family: str
    krx_code: str
    expected_members: int | None


@cache
def indices() -> tuple[Index, ...]:
    """All indices of the seed, in its order."""
    with SEED.open(encoding="utf-8", newline="") as file:
        return tuple(
            Index(
                name=row["index_name"],
                infomax_code=row["infomax_code"],
                krx_family=row["krx_family"],
                krx_code=row["krx_code"],
                expected_members=int(row["expected_members"]) if row["expected_members"] else None,
            )
            for row in csv.DictReader(file)
        )


def infomax_code(name: str) -> str:
    """Infomax's code of an index by its canonical name."""
    return next(index.infomax_code for index in indices() if index.name == name)
