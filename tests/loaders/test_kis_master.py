"""Master files that are not what they should be: one clear line, nothing of them in raw, and all of them kept."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from loaders.contracts import raw_tables
from loaders.errors import AnswerRejectedError
from loaders.kis.master import HEAD_WIDTHS, LISTINGS, WIDTHS, read_master
from loaders.universe import listed_on, read_listings
from sandbox.simulator.market import market
from sandbox.simulator.server import SEED, Simulator
from sandbox.simulator.vendors import kis_master
from tests.conftest import Database

KEYS = {"idxcode": ("market_code", "index_code")}
DAY = market(SEED).sessions[-1]
ROWS = kis_master.rows(market(SEED), "kospi_code", DAY)


def zipped(*bodies: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, body in enumerate(bodies):
            archive.writestr(f"KOSPI_CODE{number or ''}.MST", body)
    return buffer.getvalue()


def lines(rows: list[bytes], end: bytes = b"\n") -> bytes:
    return b"".join(row + end for row in rows)


def read(body: bytes, endpoint: str = "kospi_code") -> list[dict[str, str]]:
    return read_master(raw_tables()["kis", endpoint], KEYS.get(endpoint, ("short_code",)), body)


def changed(row: bytes, start: int, value: bytes) -> bytes:
    return row[:start] + value + row[start + len(value) :]


@pytest.mark.parametrize(
    ("endpoint", "fields", "tail"),
    [("kospi_code", 70, 227), ("kosdaq_code", 64, 221), ("konex_code", 38, 184)],
)
def test_widths_are_the_vendor_s(endpoint: str, fields: int, tail: int) -> None:
    assert len(WIDTHS[endpoint]) == fields
    assert sum(WIDTHS[endpoint]) == tail
    assert len(raw_tables()["kis", endpoint].fields) == fields + len(HEAD_WIDTHS)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("endpoint", ["kospi_code", "kosdaq_code", "konex_code", "idxcode"])
def test_a_file_is_read_with_either_line_end(endpoint: str, end: bytes) -> None:
    rows = kis_master.rows(market(SEED), endpoint, DAY)
    records = read(zipped(lines(rows, end)), endpoint)
    assert len(records) == len(rows)
    assert not any(value.endswith((" ", "\r")) for value in records[-1].values())


def test_the_last_row_needs_no_line_end() -> None:
    assert read(zipped(lines(ROWS).rstrip(b"\n"))) == read(zipped(lines(ROWS)))


def test_a_name_that_was_cut_within_a_character_keeps_the_others() -> None:
    name = "K가나다라마바사아자차카타파하거너더러머버".encode("cp949")
    (record,) = read(zipped(lines([changed(ROWS[0], 21, name[:40])])))
    assert record["korean_name"] == "K가나다라마바사아자차카타파하거너더러머"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>\xec\xa0\x90\xea\xb2\x80</html>", "is a web page, not a zip file"),
        (b"", "no readable zip file"),
        (zipped(lines(ROWS))[:2000], "no readable zip file"),
        (zipped(lines(ROWS), lines(ROWS)), "has 2 members instead of one"),
        (zipped(), "has 0 members instead of one"),
        (zipped(b""), "the file is empty"),
        (
            zipped(lines([ROWS[0], b"<<<<<<< HEAD", *ROWS[1:]])),
            "row 2 of 27 has 12 bytes instead of 288: '<<<<<<< HEAD'",
        ),
        (zipped(lines([*ROWS[:3], ROWS[3][:-1]])), "row 4 of 4 has 287 bytes instead of 288"),
        (zipped(lines([ROWS[0], b"", ROWS[1]])), "row 2 of 3 has 0 bytes"),
        (
            zipped(lines(kis_master.rows(market(SEED), "kosdaq_code", DAY))),
            "row 1 of 26 has 282 bytes instead of 288",
        ),
        # names in UTF-8: three bytes a syllable, so that rows grow
        (zipped(lines(ROWS).decode("cp949").encode()), "bytes instead of 288"),
        (
            zipped(lines([changed(ROWS[0], 25, b"\xff")])),
            "row 1 of 1 field korean_name is not CP949",
        ),
        (zipped(lines([changed(ROWS[0], 60, b"\x00")])), "korean_name holds a control character"),
        # the layout moved by one byte, the length of the row is what it was
        (
            zipped(lines([ROWS[0][:61] + b"X" + ROWS[0][61:-1]])),
            "field base_price holds 'N[0-9]{8}', so the layout is not the one we know",
        ),
        (
            zipped(lines([*ROWS, changed(ROWS[0], 21, b"ANOTHER NAME".ljust(40))])),
            "rows 1 and 27 both are '990010' with different values",
        ),
        (
            zipped(lines([changed(row, 20, b"0" if row[20:21] != b"0" else b"1") for row in ROWS])),
            "26 of 26 ISINs have a wrong check digit, the first in row 1",
        ),
    ],
)
def test_a_damaged_file_is_refused_whole_and_says_where(body: bytes, words: str) -> None:
    with pytest.raises(AnswerRejectedError) as error:
        read(body)
    assert re.search(words, str(error.value)), error.value
    assert "\n" not in str(error.value)


def test_the_same_row_twice_is_no_contradiction() -> None:
    assert len(read(zipped(lines([*ROWS, ROWS[0]])))) == len(ROWS) + 1


@pytest.mark.parametrize("endpoint", ["kospi_code", "kosdaq_code"])
def test_the_simulator_s_rows_have_the_shape_of_the_vendor_s(
    real_data: Path, endpoint: str
) -> None:
    sample = real_data.parent / "vendors" / "samples" / "kis" / f"{endpoint}.mst.zip"
    theirs = read(sample.read_bytes(), endpoint)[0]
    ours = read(zipped(lines(kis_master.rows(market(SEED), endpoint, DAY))), endpoint)[0]
    assert list(ours) == list(theirs)
    # digits where the vendor has digits, letters where it has letters; blanks are either's right
    kinds = {name: (theirs[name].isdigit(), ours[name].isdigit()) for name in ours}
    differing = {
        name
        for name, (sample_is, ours_is) in kinds.items()
        if sample_is != ours_is and theirs[name] and ours[name]
    }
    assert differing <= {"roe"}  # of zeros, with a decimal point


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    return new_database(sample=True)


def test_one_bad_file_keeps_nothing_else_out(database: Database, simulator: Simulator) -> None:
    simulator.plant_fault(path="kospi_code", kind="truncate")
    # without a key the broker's files are all that is collected
    vendors = {n: v for n, v in simulator.environment.items() if not n.startswith("KIS_APP_")}
    run = database.loaders("load", "--source", "kis", **vendors)
    assert run.returncode == 0
    assert "Traceback" not in run.stderr
    assert "kospi_code: the answer is no readable zip file" in run.stderr
    assert database.rows(
        "select scope, dataset, status from raw.fetch_cells where source = 'kis' order by 1, 2"
    ) == [
        ("KONEX", "stocks", "SUCCESS"),
        ("KOSDAQ", "index_components", "SUCCESS"),
        ("KOSDAQ", "sectors", "SUCCESS"),
        ("KOSDAQ", "stocks", "SUCCESS"),
        ("KOSPI", "index_components", "FAILED"),
        ("KOSPI", "sectors", "FAILED"),
        ("KOSPI", "stocks", "FAILED"),
        ("NAMES", "sectors", "SUCCESS"),
    ]
    assert database.rows("select count(*) from raw.kis__kospi_code") == [(0,)]
    (kept,) = database.rows("select endpoint, length(payload) > 0 from raw.rejected_payloads")
    assert kept == ("kospi_code", True)


def test_the_next_load_asks_for_the_bad_file_alone(
    database: Database, simulator: Simulator
) -> None:
    simulator.forget_requests()
    run = database.loaders("load", "--source", "kis", **simulator.environment)
    assert run.returncode == 0, run.stderr
    assert [path for path in simulator.requests() if "/kis-master" in path] == [
        "/kis-master/common/master/kospi_code.mst.zip"
    ]
    assert database.rows("select count(*) from raw.kis__kospi_code") == [(len(ROWS),)]


def test_feeds_that_go_from_stock_to_stock_find_their_stocks_here(database: Database) -> None:
    with database.connect() as connection:
        listings = read_listings(connection, [LISTINGS])
    stocks = {stock.code for stock in market(SEED).listed(DAY)}
    funds = {etf.code for etf in market(SEED).etfs if etf.is_listed(DAY)}
    assert {entry.code for entry in listed_on(listings, DAY) if entry.kind == "STOCK"} == stocks
    assert {entry.code for entry in listed_on(listings, DAY) if entry.kind == "ETF"} == funds
    assert {entry.code for entry in listings if entry.is_konex} == {
        stock.code for stock in market(SEED).listed(DAY) if stock.board_on(DAY) == "KONEX"
    }
