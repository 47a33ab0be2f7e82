"""The exchange's listing of 2024-02-18, which comes in shares and in millions of shares under the same header."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Database
from tests.loaders.file_server import FileServer, running_file_server

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
COLUMNS = {
    "표준코드": "ISU_CD", "단축코드": "ISU_SRT_CD", "한글 종목명": "ISU_NM", "한글 종목약명": "ISU_ABBRV",
    "영문 종목명": "ISU_ENG_NM", "상장일": "LIST_DD", "시장구분": "MKT_TP_NM", "증권구분": "SECUGRP_NM",
    "소속부": "SECT_TP_NM", "주식종류": "KIND_STKCERT_TP_NM", "액면가": "PARVAL", "상장주식수": "LIST_SHRS",
}  # fmt: skip
ENDPOINTS = {"KOSPI": "stk", "KOSDAQ": "ksq", "KONEX": "knx"}
IN_SHARES = "data_4920_20240218.xlsx"
IN_MILLIONS = "data_3503_20240218.xlsx"
GOOD_DAY, BAD_DAY = "20240215", "20240216"


def rows_of_sheet(path: Path) -> list[dict[str, str]]:
    """Records of the first sheet, all cells as text."""
    with zipfile.ZipFile(path) as book:
        shared = [
            "".join(text.text or "" for text in entry.iter(f"{NAMESPACE}t"))
            for entry in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    table = []
    for row in sheet.iter(f"{NAMESPACE}row"):
        values = []
        for cell in row:
            value = cell.findtext(f"{NAMESPACE}v") or ""
            values.append(shared[int(value)] if cell.get("t") == "s" else value)
        table.append(values)
    return [dict(zip(table[0], values, strict=True)) for values in table[1:]]


def offer(vendor: FileServer, path: Path, day: str) -> int:
    """The listing as the exchange's Open API would tell it; gives the number of records."""
    records = [{COLUMNS[name]: value for name, value in row.items()} for row in rows_of_sheet(path)]
    for market, prefix in ENDPOINTS.items():
        of_market = [record for record in records if record["MKT_TP_NM"].split()[0] == market]
        body = json.dumps({"OutBlock_1": of_market}, ensure_ascii=False).encode()
        vendor.files[f"/svc/apis/sto/{prefix}_isu_base_info?basDd={day}"] = (body, None)
    return len(records)


def load_lists(database: Database, vendor: FileServer, day: str) -> None:
    named = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    loaded = database.loaders(
        *("load", "--source", "krx", "--dataset", "stocks", "--from", named, "--to", named),
        KRX_OPENAPI_BASE_URL=vendor.base_url,
        KRX_OPENAPI_KEY="a-key",
        KRX_OPENAPI_REQUESTS_PER_MINUTE="0",
    )
    assert loaded.returncode == 0, loaded.stderr


def build(database: Database, *selected: str) -> None:
    built = database.dbt("build", *selected)
    assert built.returncode == 0, built.stdout


@pytest.fixture(scope="module")
def vendor() -> Iterator[FileServer]:
    with running_file_server() as server:
        yield server


@pytest.fixture(scope="module")
def warehouse(
    new_database: Callable[..., Database], vendor: FileServer, real_data: Path
) -> Database:
    """Daily bars of early 2024, the listing in shares, and a day later the one in millions."""
    database = new_database()
    loaded = database.loaders(
        *("load", "--source", "marcap", "--from", "2024-01-02", "--to", "2024-02-16"),
        MARCAP_BASE_URL=str(real_data / "daily_krx_raw_marcap"),
    )
    assert loaded.returncode == 0, loaded.stderr
    offer(vendor, real_data / "master" / IN_SHARES, GOOD_DAY)
    load_lists(database, vendor, GOOD_DAY)
    build(database)
    offer(vendor, real_data / "master" / IN_MILLIONS, BAD_DAY)
    load_lists(database, vendor, BAD_DAY)
    build(database)
    return database


def test_a_list_in_millions_is_refused_as_a_whole_and_the_good_one_stays(
    warehouse: Database, real_data: Path
) -> None:
    assert warehouse.rows(
        "select collection_date::text, count(*), min(broken_rules), max(round(log(median_ratio)::numeric))"
        " from intermediate.int_stocks__lists_measured group by 1 order by 1"
    ) == [("2024-02-15", 3, "", 0), ("2024-02-16", 3, "SHARES_WRONG_UNIT", -6)]
    assert warehouse.rows(
        "select distinct list_date::text from intermediate.int_stocks__versioned where source = 'krx'"
    ) == [("2024-02-15",)]
    assert warehouse.rows(
        "select is_active, listed_shares from marts.stocks where stock_code = '005930'"
    ) == [(True, 5_969_782_550)]
    refused = len(rows_of_sheet(real_data / "master" / IN_MILLIONS))
    assert warehouse.rows(
        "select dataset, rule_id, trade_date::text, count(*), count(reason_ko) from quality.rejected_rows"
        " where rule_id = 'SHARES_WRONG_UNIT' group by 1, 2, 3"
    ) == [("stocks", "SHARES_WRONG_UNIT", "2024-02-16", refused, refused)]


@pytest.mark.parametrize(
    ("file", "rules"), [(IN_SHARES, [("",)]), (IN_MILLIONS, [("SHARES_WRONG_UNIT",)])]
)
def test_a_list_is_judged_without_any_bar_too(
    new_database: Callable[..., Database],
    vendor: FileServer,
    real_data: Path,
    file: str,
    rules: list[tuple[str]],
) -> None:
    database = new_database()
    offer(vendor, real_data / "master" / file, GOOD_DAY)
    load_lists(database, vendor, GOOD_DAY)
    build(database, "--select", "+int_stocks__lists_measured", "--exclude-resource-type", "test")
    assert (
        database.rows("select distinct broken_rules from intermediate.int_stocks__lists_measured")
        == rules
    )
