"""Pages of text go a quick way: what comes of them, rows and errors, is what the exact way makes of each page by itself."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
import yaml

from loaders import payload
from loaders.config import PROJECT_ROOT
from loaders.contracts import Field, RawTable, raw_tables
from loaders.errors import AnswerRejectedError
from loaders.payload import pack, parse_json, records_to_table, take_in, unpack

TABLE = RawTable(
    "vendor",
    "bars",
    "vendor__bars",
    (
        Field("day", "text", ("day",), is_required=True),
        Field("price", "text", ("price", "old_price"), is_required=True),
        Field("note", "text", ("note",), is_required=False),
    ),
    "models/staging/vendor/_vendor_api__sources.yml",
)
WHOLE = '{"day": "1", "price": "0.10", "note": "a"}'
# bodies by what is special about them; each is a list of records
BODIES = {
    "text": f"[{WHOLE}, {WHOLE}]",
    "one record": f"[{WHOLE}]",
    "none": "[]",
    "other order of fields": f'[{WHOLE}, {{"note": "b", "price": "2", "day": "3"}}]',
    "a number": '[{"day": "1", "price": 0.10, "note": "a"}]',
    "a number in one record only": f'[{WHOLE}, {{"day": "1", "price": 1e400, "note": "a"}}]',
    "a whole number": '[{"day": 20260303, "price": "1", "note": "a"}]',
    "a number beyond 64 bits": '[{"day": "1", "price": 123456789012345678901234567890, "note": "a"}]',
    "minus zero": '[{"day": "1", "price": -0, "note": -0.0}]',
    "null": f'[{WHOLE}, {{"day": null, "price": "1", "note": null}}]',
    "null in all": '[{"day": null, "price": null, "note": null}]',
    "truth": f'[{WHOLE}, {{"day": "1", "price": true, "note": false}}]',
    "a list for a value": f'[{WHOLE}, {{"day": "1", "price": ["2", 3.0], "note": "a"}}]',
    "a record for a value": '[{"day": "1", "price": {"low": 1.50, "high": "2"}, "note": "a"}]',
    "an unknown field": '[{"day": "1", "price": "2", "note": "a", "more": "b"}]',
    "an unknown number": '[{"day": "1", "price": "2", "more": 1.0}]',
    "an unknown field in one record only": f'[{WHOLE}, {{"day": "1", "price": "2", "more": "b"}}]',
    "an unknown field in place of one": f'[{WHOLE}, {{"day": "1", "price": "2", "more": "b"}}, {WHOLE}]',
    "a required field missing": '[{"day": "1", "note": "a"}]',
    "a required field missing in one record": f'[{WHOLE}, {{"day": "1", "note": "a"}}]',
    "a required field missing beside an unknown one": f'[{WHOLE}, {{"day": "1", "note": "a", "x": "b"}}]',
    "a field missing that may": '[{"day": "1", "price": "2"}, {"day": "2", "price": "3"}]',
    "a field missing that may, in one": f'[{WHOLE}, {{"day": "1", "price": "2"}}]',
    "an old name": '[{"day": "1", "old_price": "2", "note": "a"}]',
    "an old name in one record": f'[{WHOLE}, {{"day": "1", "old_price": "2", "note": "a"}}]',
    "both names": '[{"day": "1", "old_price": "2", "price": "3", "note": "a"}]',
    "a field twice": '[{"day": "1", "price": "2", "price": "3", "note": "a"}]',
    "a field twice, a number first": '[{"day": "1", "price": 2.0, "price": "3", "note": "a"}]',
    "a field twice, a number last": '[{"day": "1", "price": "2", "price": 3.0, "note": "a"}]',
    "no record": f'[{WHOLE}, "text"]',
    "a list for a record": f"[{WHOLE}, []]",
    "an empty record": f"[{WHOLE}, {{}}]",
    "empty text": '[{"day": "", "price": " ", "note": "\\t"}]',
    "beyond ASCII": '[{"day": "1", "price": "2", "note": "삼성전자 \\uc0bc \\ud83d\\ude00 \x7f"}]',
    "half a character": '[{"day": "1", "price": "2", "note": "\\ud83d"}]',
    "the other half": '[{"day": "1", "price": "2", "note": "\\uDE00"}]',
    "half a character in a name": '[{"day": "1", "price": "2", "\\ud83d": "a"}]',
    "NUL": '[{"day": "1", "price": "2", "note": "\\u0000"}]',
    "a control character": '[{"day": "1", "price": "2", "note": "\t"}]',
    "not a number": '[{"day": "1", "price": NaN, "note": "a"}]',
    "a comma too many": f"[{WHOLE},]",
    "cut short": f"[{WHOLE}",
    "a mark of the byte order": f"\ufeff[{WHOLE}]",
    "a web page": " <html>",
    "nothing": "",
    "nested too deeply": "[" * 1010 + "]" * 1010,
}


def outcome(make: Callable[[], tuple[Sequence[pa.Table], list[str]]]) -> object:
    """Rows and unknown fields, or what was wrong."""
    try:
        tables, unknown = make()
    except AnswerRejectedError as error:
        return str(error)
    rows = pa.concat_tables(tables)
    return rows.schema, rows.to_pylist(), unknown


def exactly(body: bytes) -> tuple[Sequence[pa.Table], list[str]]:
    rows, unknown = records_to_table(TABLE, payload._parse_exactly(body), 7)
    return [rows], unknown


def quickly(body: bytes) -> tuple[Sequence[pa.Table], list[str]]:
    rows, unknown = take_in(TABLE, parse_json(body), 7)
    return unpack(pack([rows])), unknown


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_the_quick_way_gives_the_same_rows_and_the_same_errors(body: str) -> None:
    sent = body.encode()
    assert outcome(lambda: quickly(sent)) == outcome(lambda: exactly(sent))


def test_half_a_character_is_rejected_and_a_whole_one_is_kept() -> None:
    assert "half a character" in str(outcome(lambda: quickly(BODIES["half a character"].encode())))
    assert "😀" in str(outcome(lambda: quickly(BODIES["beyond ASCII"].encode())))


def test_bytes_that_are_no_utf_8_are_told_of_alike() -> None:
    for sent in (
        b'[{"day": "\xed\xa0\x80"}]',
        '[{"day": "삼'.encode()[:-1],
        "삼성".encode("cp949"),
    ):
        told = outcome(lambda sent=sent: quickly(sent))  # type: ignore[misc]
        assert told == outcome(lambda sent=sent: exactly(sent))  # type: ignore[misc]
        assert "UTF-8" in str(told) or "within a character" in str(told)


def test_many_answers_at_once_give_the_rows_that_each_gives_by_itself() -> None:
    alone: list[pa.Table] = []
    together: list[Any] = []
    for fetch_id, body in enumerate(BODIES.values(), start=100):
        try:
            sent = payload._parse_exactly(body.encode())
            alone.append(records_to_table(TABLE, sent, fetch_id)[0])
        except AnswerRejectedError:
            continue
        together.append(take_in(TABLE, parse_json(body.encode()), fetch_id)[0])
    assert len(alone) > 20
    whole = pa.concat_tables(alone)
    # an attempt after another, of three answers each, as a batch gathers them
    packed = [
        rows for start in range(0, len(together), 3) for rows in pack(together[start : start + 3])
    ]
    assert pa.concat_tables(unpack(packed)).equals(whole)
    assert pa.concat_tables(unpack(pack(together))).equals(whole)


def test_pages_of_text_go_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the slow way")

    monkeypatch.setattr(payload, "_parse_exactly", refuse)
    monkeypatch.setattr(payload, "records_to_table", refuse)
    page = {"rt_cd": "0", "output1": {"day": "1"}, "output2": json.loads(BODIES["text"])}
    body = json.dumps(page).encode()
    answers = [take_in(TABLE, parse_json(body)["output2"], number)[0] for number in (1, 2)]
    (rows,) = unpack(pack(answers))
    assert rows["_fetch_id"].to_pylist() == [1, 1, 2, 2]
    assert rows["_row_number"].to_pylist() == [0, 1, 0, 1]


def test_a_column_reads_the_same_before_and_after_it_is_in_arrow() -> None:
    sent = json.loads(
        '[{"day": "1", "old_price": "2", "note": null}, {"day": "2", "old_price": true, "note": "b"}]'
    )
    rows, _ = take_in(TABLE, sent, 7)
    assert not isinstance(rows, pa.Table)
    (table,) = unpack(pack([rows]))
    for name in TABLE.column_names:
        assert rows.values(name) == table[name].to_pylist()


def test_a_missing_field_names_the_file_in_which_to_add_its_new_name() -> None:
    told = str(outcome(lambda: quickly(b'[{"day": "1", "note": "a"}]')))
    assert told.endswith(f"add the new name to {TABLE.contract}")


@pytest.mark.parametrize("table", raw_tables().values(), ids=lambda table: table.name)
def test_every_table_knows_the_file_of_its_contract(table: RawTable) -> None:
    contract = yaml.safe_load((PROJECT_ROOT / table.contract).read_text(encoding="utf-8"))
    (source,) = contract["sources"]
    assert source["name"] == table.source
    assert table.name in [one.get("identifier", one["name"]) for one in source["tables"]]
