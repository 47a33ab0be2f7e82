"""Real WICS lists and listed shares of March 2021 in the vendors' JSON over HTTP, through loaders and dbt."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.replay import Asked, Replay, Reply, replaying

DAY, PRICE_DAY = "20210326", "20210122"
NUMBERS = {"ALL_MKT_VAL", "MKT_VAL", "WGT", "S_WGT", "CAL_WGT", "SEQ", "TOP60", "APT_SHR_CNT"}


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    (path,) = (folder / "sector_wics_float").glob(f"{name}__*.csv.gz")
    return list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode("cp949"))))


@dataclass(frozen=True)
class March2021:
    """What the files hold.

    Attributes:
        components: WICS records by first-level sector, numbers as numbers; the second level was not recorded.
        listed: code to (market, name, listed shares) on the same day: market cap by close.
        prices: the exchange's records of KOSPI of an earlier day.
    """

    components: dict[str, list[dict[str, Any]]]
    listed: dict[str, tuple[str, str, int]]
    prices: list[dict[str, str]]

    def float_of(self) -> dict[str, int]:
        return {
            row["CMP_CD"]: int(row["APT_SHR_CNT"])
            for rows in self.components.values()
            for row in rows
        }

    def wics(self, asked: Asked) -> Reply:
        """The site's answer: first-level lists on the recorded day, nothing else."""
        rows = self.components.get(asked.fields["sec_cd"], []) if asked.fields["dt"] == DAY else []
        return Reply({"info": {"TRD_DT": "/Date(1616684400000)/", "CNT": len(rows)}, "list": rows})

    def krx(self, asked: Asked) -> Reply:
        """The exchange's answer: prices of KOSPI in January, base information of both markets in March."""
        api, day = asked.path.rsplit("/", 1)[1], asked.fields["basDd"]
        if api == "stk_bydd_trd" and day == PRICE_DAY:
            return Reply({"OutBlock_1": self.prices})
        market = {"stk_isu_base_info": "KOSPI", "ksq_isu_base_info": "KOSDAQ"}.get(api)
        if day != DAY or market is None:
            return Reply({"OutBlock_1": []})
        return Reply(
            {
                "OutBlock_1": [
                    {
                        "ISU_CD": f"KR7{code}003",
                        "ISU_SRT_CD": code,
                        "ISU_NM": name,
                        "ISU_ABBRV": name,
                        "ISU_ENG_NM": name,
                        "LIST_DD": "20000104",
                        "MKT_TP_NM": market,
                        "SECUGRP_NM": "주권",
                        "SECT_TP_NM": "",
                        "KIND_STKCERT_TP_NM": "보통주",
                        "PARVAL": "5000",
                        "LIST_SHRS": str(shares),
                    }
                    for code, (board, name, shares) in self.listed.items()
                    if board == market
                ]
            }
        )

    def answer(self, asked: Asked) -> Reply:
        return self.wics(asked) if "GetIndexComponets" in asked.path else self.krx(asked)


@pytest.fixture(scope="module")
def recorded(real_data: Path) -> March2021:
    components: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(real_data, "KOR_sector"):
        record = {
            # a number as a number: 2.1e+07 is one in JSON as it is here
            name: json.loads(value) if name in NUMBERS else value
            for name, value in row.items()
            if name
        }
        components.setdefault(row["IDX_CD"], []).append(record)
    listed = {
        row["종목코드"]: (
            row["시장구분"],
            row["종목명"],
            round(float(row["시가총액"]) / float(row["종가"])),
        )
        for row in rows_of(real_data, "KOR_ticker")
    }
    (path,) = (real_data / "vendor_raw" / "krx_mdc").glob(f"MDCSTAT01501_STK_{PRICE_DAY}_*.json.gz")
    prices = [
        {"BAS_DD": PRICE_DAY}
        | {name: row[name] for name in row if name not in ("ISU_SRT_CD", "ISU_ABBRV", "FLUC_TP_CD", "MKT_ID")}
        | {"ISU_CD": row["ISU_SRT_CD"], "ISU_NM": row["ISU_ABBRV"]}
        for row in json.loads(gzip.decompress(path.read_bytes()))["OutBlock_1"]
    ]  # fmt: skip
    return March2021(components, listed, prices)


@contextmanager
def vendors(recorded: March2021) -> Iterator[tuple[Replay, dict[str, str]]]:
    with replaying(recorded.answer) as replay:
        yield (
            replay,
            {
                "WICS_BASE_URL": replay.base_url,
                "WICS_REQUESTS_PER_MINUTE": "0",
                "KRX_OPENAPI_BASE_URL": replay.base_url,
                "KRX_OPENAPI_KEY": "recorded",
                "KRX_OPENAPI_REQUESTS_PER_MINUTE": "0",
            },
        )


def load(database: Database, environment: dict[str, str], day: str, *arguments: str) -> None:
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    run = database.loaders("load", "--from", iso, "--to", iso, *arguments, **environment)
    assert run.returncode == 0, run.stderr


BUILT = ("floating_shares", "rejected_rows")


@pytest.fixture(scope="module")
def warehouse(new_database: Callable[..., Database], recorded: March2021) -> Database:
    """Floats and the prices of two months earlier: first without, in the tests below with the day's own lists."""
    database = new_database()
    with vendors(recorded) as (replay, environment):
        load(database, environment, DAY, "--source", "wics")
        assert len(replay.asked) == 38, "28 empty lists, and the ten above them that answer"
        load(
            database, environment, PRICE_DAY, "--source", "krx", "--dataset", "ohlcv_daily",
            "--scope", "KOSPI",
        )  # fmt: skip
    built = database.build(*BUILT)
    assert built.returncode == 0, built.stdout
    return database


def test_every_name_of_the_lists_is_in_raw_as_it_was_sent(
    warehouse: Database, recorded: March2021
) -> None:
    assert warehouse.rows(
        "select count(*), count(distinct cmp_cd), count(distinct idx_cd) from raw.wics__get_index_componets"
    ) == [(2169, 2169, 10)]


def test_the_free_float_of_hyundai_motor_is_0_66(warehouse: Database) -> None:
    ((ratio, total, floating),) = warehouse.rows(
        "select floating_ratio, total_shares, floating_shares from marts.floating_shares"
        " where stock_code = '005380' and base_date = '2021-03-26'"
    )
    assert (str(ratio), total, floating) == ("66.00", 213_668_187, 141_021_003)


def test_a_name_whose_listed_shares_nobody_tells_is_reported(
    warehouse: Database, recorded: March2021
) -> None:
    priced = {row["ISU_CD"] for row in recorded.prices}
    unknown = warehouse.rows(
        "select stock_code from quality.rejected_rows"
        " where dataset = 'floating_shares' and rule_id = 'LISTED_SHARES_UNKNOWN'"
    )
    assert {code for (code,) in unknown} == set(recorded.float_of()) - priced


def test_lists_that_come_later_are_taken_in_and_what_exceeds_them_is_not_published(
    warehouse: Database, recorded: March2021
) -> None:
    with vendors(recorded) as (_, environment):
        load(warehouse, environment, DAY, "--source", "krx", "--dataset", "stocks")
    built = warehouse.build(*BUILT)
    assert built.returncode == 0, built.stdout
    floats = recorded.float_of()
    priced = {row["ISU_CD"]: int(row["LIST_SHRS"].replace(",", "")) for row in recorded.prices}
    known = priced | {code: shares for code, (_, _, shares) in recorded.listed.items()}
    above = {code for code in floats if code in known and floats[code] > known[code]}
    assert above, "the recorded day has such names"
    reported = warehouse.rows(
        "select stock_code from quality.rejected_rows"
        " where dataset = 'floating_shares' and rule_id = 'FLOAT_ABOVE_LISTED'"
    )
    assert {code for (code,) in reported} == above
    published = warehouse.rows(
        "select stock_code, total_shares::bigint, floating_shares, floating_ratio from marts.floating_shares"
    )
    assert {(code, total, floating) for code, total, floating, _ in published} == {
        (code, known[code], floats[code]) for code in floats if code in known and code not in above
    }
    assert all(0 < float(str(ratio)) <= 100 for *_, ratio in published)


def test_a_rebuild_from_scratch_gives_the_same(warehouse: Database) -> None:
    query = "select * from marts.floating_shares order by stock_code"
    before = warehouse.rows(query)
    built = warehouse.build(*BUILT, options=("--full-refresh",))
    assert built.returncode == 0, built.stdout
    assert warehouse.rows(query) == before
