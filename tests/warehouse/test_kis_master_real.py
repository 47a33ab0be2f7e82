"""Recorded master files of the broker, over HTTP into a real database, against what third parties read out of them."""

import csv
import gzip
import io
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loaders.calendar import KST
from tests.conftest import Database
from tests.loaders.file_server import FileServer, running_file_server

INDEX_FILES = {"KOSPI200": "kospi_code", "KOSDAQ150": "kosdaq_code"}


def zipped(body: bytes, name: str = "kospi_code.MST") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def masters(real_data: Path) -> dict[str, bytes]:
    """File name to bytes of the twelve recorded files."""
    with zipfile.ZipFile(real_data / "kis_master_mst" / "kis_mst.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sessions(real_data: Path) -> dict[str, datetime]:
    """File name to the morning of the session that it was made for."""
    with (real_data / "kis_master_mst" / "dates.csv").open(encoding="utf-8") as file:
        return {
            row["file"]: datetime.strptime(row["session"], "%Y%m%d").replace(hour=8, tzinfo=KST)
            for row in csv.DictReader(file)
        }


@pytest.fixture(scope="module")
def members(real_data: Path) -> dict[tuple[str, str], set[str]]:
    """File and index to the members that third parties read out of the file."""
    found = defaultdict(set)
    path = real_data / "index_members" / "members_from_kis_mst_2022-07_2024-03.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["file"], row["index"]].add(row["code"])
    return found


@pytest.fixture(scope="module")
def vendor() -> Iterator[FileServer]:
    with running_file_server() as server:
        yield server


def offer(vendor: FileServer, endpoint: str, body: bytes, modified: datetime | None) -> None:
    path = f"/common/master/{endpoint}.mst.zip"
    vendor.files[path] = (zipped(body), modified and modified.astimezone(UTC))


def load(database: Database, vendor: FileServer, *arguments: str) -> tuple[int, str]:
    run = database.loaders(
        *("load", "--source", "kis", *arguments),
        KIS_MASTER_BASE_URL=vendor.base_url,
        KIS_MASTER_REQUESTS_PER_MINUTE="0",
    )
    assert "Traceback" not in run.stderr
    return run.returncode, run.stderr


@pytest.fixture(scope="module")
def warehouse(
    new_database: Callable[..., Database],
    vendor: FileServer,
    masters: dict[str, bytes],
    sessions: dict[str, datetime],
) -> Database:
    """Every recorded file of KOSPI and KOSDAQ, oldest first, and the build after the last one."""
    database = new_database()
    for name in sorted(masters, key=lambda name: (sessions[name], name)):
        endpoint = name.split("__")[0]
        offer(vendor, endpoint, masters[name], sessions[name])
        scope = endpoint.removesuffix("_code").upper()
        code, error = load(database, vendor, "--scope", scope, "--refresh")
        if b"<<<<<<<" in masters[name]:
            assert code == 1
            assert "row 1 of 4265 has 12 bytes instead of 288: '<<<<<<< HEAD'" in error
        else:
            assert code == 0, error
    return database


@pytest.fixture(scope="module")
def built(warehouse: Database, vendor: FileServer, real_data: Path) -> Database:
    (path,) = (real_data / "kis_master_mst").glob("idxcode__*.mst")
    offer(vendor, "idxcode", path.read_bytes(), None)
    code, error = load(warehouse, vendor, "--scope", "NAMES")
    assert code == 0, error
    done = warehouse.build(
        "stocks", "sectors", "int_index_components__kis_listed", "unknown_sectors", "staging.kis"
    )
    assert done.returncode == 0, done.stdout
    return warehouse


def test_every_row_of_every_good_file_is_in_raw_and_the_bad_file_is_kept_whole(
    warehouse: Database, masters: dict[str, bytes]
) -> None:
    good = [name for name in masters if b"<<<<<<<" not in masters[name]]
    expected = sum(masters[name].count(b"\n") for name in good)
    (counted,) = warehouse.rows(
        "select (select count(*) from raw.kis__kospi_code) + (select count(*) from raw.kis__kosdaq_code)"
    )
    assert counted == (expected,)
    (bad,) = [body for body in masters.values() if b"<<<<<<<" in body]
    (kept,) = warehouse.rows("select payload from raw.rejected_payloads")
    with zipfile.ZipFile(io.BytesIO(bytes(kept[0]))) as archive:  # type: ignore[arg-type]
        assert archive.read(archive.namelist()[0]) == bad


def test_members_are_those_of_each_session(
    built: Database, members: dict[tuple[str, str], set[str]], sessions: dict[str, datetime]
) -> None:
    rows = built.rows(
        "select index_name, list_date, array_agg(stock_code)"
        " from intermediate.int_index_components__kis_listed group by 1, 2"
    )
    found = {(index_name, day): set(codes) for index_name, day, codes in rows}  # type: ignore[call-overload]
    expected = {
        (index_name, sessions[name].date()): codes
        for (name, index_name), codes in members.items()
        if name in sessions and index_name in INDEX_FILES and len(codes) <= 201
    }
    assert len(expected) == 11
    assert found == expected


def test_shares_and_market_cap_are_those_of_the_exchange(built: Database, real_data: Path) -> None:
    """The file of 2024-03-11 was made for that session, so its market cap is that of 2024-03-08, in 억원 cut off."""
    rows = built.rows(
        "select listed_shares, par_value, listing_date::text, previous_market_cap, base_price"
        " from staging.stg_kis__kospi_code where stock_code = '005930' and list_date = '2024-03-11'"
    )
    assert rows == [(5_969_782_000, 100, "1975-06-11", 437_585_000_000_000, 73_300)]


def test_only_what_the_stock_master_follows_is_in_it(built: Database) -> None:
    rows = dict(
        built.rows("select security_type, count(*) from marts.stocks where is_active group by 1")  # type: ignore[arg-type]
    )
    assert rows["ETF"] == 840
    assert rows["ETN"] == 368
    assert rows["REIT"] == 23
    assert not {"ELW", "SUBSCRIPTION_WARRANT", "BENEFICIARY_CERTIFICATE"} & rows.keys()
    assert sum(rows.values()) == 925 + 840 + 368 + 23 + 3 + 1 + 1 + 1 + 1718


def test_sectors_are_a_tree_and_every_code_is_known(built: Database) -> None:
    assert built.rows("select * from quality.unknown_sectors") == []
    assert built.rows(
        "select stocks.stock_code, sectors.sector_name, parents.sector_name, grandparents.sector_name"
        " from marts.stocks as stocks inner join marts.sectors as sectors using (sector_id)"
        " left join marts.sectors as parents on sectors.parent_sector_id = parents.sector_id"
        " left join marts.sectors as grandparents on parents.parent_sector_id = grandparents.sector_id"
        " where stock_code in ('005930', '247540', '035900', '105560', '035760') order by 1"
    ) == [
        ("005930", "전기.전자", "제조업", None),
        ("035760", "방송서비스", "통신방송", "IT종합"),
        ("035900", "오락문화", None, None),
        ("105560", "금융업", None, None),
        ("247540", "일반전기전자", "제조", None),
    ]


def test_names_in_the_seed_are_the_vendor_s(built: Database) -> None:
    assert (
        built.rows(
            "select sectors.sector_code, sectors.sector_name, names.index_name"
            " from marts.sectors as sectors inner join staging.stg_kis__idxcode as names"
            " on sectors.sector_code = names.index_code and names.market_code in ('0', '1')"
            " where sectors.classification = 'KRX' and sectors.sector_name <> names.index_name"
        )
        == []
    )
    assert built.rows("select count(*) from marts.sectors where classification = 'KRX'") == [(55,)]


def test_a_second_load_of_the_session_asks_for_nothing(built: Database, vendor: FileServer) -> None:
    vendor.asked.clear()
    code, error = load(built, vendor, "--scope", "KOSPI")
    assert code == 0, error
    assert vendor.asked == []


def test_a_file_without_a_date_tells_of_the_session(
    new_database: Callable[..., Database],
    vendor: FileServer,
    masters: dict[str, bytes],
) -> None:
    database = new_database()
    offer(
        vendor,
        "kosdaq_code",
        next(body for name, body in masters.items() if "kosdaq" in name),
        None,
    )
    code, error = load(database, vendor, "--scope", "KOSDAQ")
    assert code == 0, error
    (row,) = database.rows(
        "select request ->> 'session' = collection_date::text, request ? 'modified_at'"
        " from raw.fetches inner join raw.fetch_cells using (fetch_id) limit 1"
    )
    assert row == (True, False)


def test_a_list_that_lost_a_third_of_its_rows_is_not_believed(
    new_database: Callable[..., Database], vendor: FileServer, masters: dict[str, bytes]
) -> None:
    database = new_database()
    body = next(body for name, body in masters.items() if "kosdaq" in name)
    offer(vendor, "kosdaq_code", body, None)
    assert load(database, vendor, "--scope", "KOSDAQ")[0] == 0
    rows = body.splitlines(keepends=True)
    offer(vendor, "kosdaq_code", b"".join(rows[: len(rows) * 2 // 3]), None)
    code, error = load(database, vendor, "--scope", "KOSDAQ", "--refresh")
    assert code == 1
    assert "the list shrank from" in error, error
