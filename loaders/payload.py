"""From a vendor's answer to an Arrow table in the columns of its raw table.

Values are kept as sent: a text stays text, a JSON number keeps its literal (`0.10` stays `0.10`), a typed file keeps its types.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby, repeat
from types import NoneType
from typing import Any, TypeAlias

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from loaders.contracts import Field, RawTable
from loaders.errors import AnswerRejectedError

ARROW_TYPES = {
    "text": pa.string(),
    "double precision": pa.float64(),
    "bigint": pa.int64(),
    "date": pa.date32(),
}

# COPY BINARY of jsonb is a version byte and the text; ADBC writes binary columns through unchanged.
JSONB_VERSION = b"\x01"

READ_ALIKE = {str, NoneType, bool}
"""Values that a quick parser and an exact one read alike; of a number the quick one forgets how it was written."""

COUNT = re.compile(r"[0-9]{1,18}(\.0+)?")

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _refuse_constant(literal: str) -> str:
    raise AnswerRejectedError(f"the answer holds {literal}, which is no JSON number")


def parse_json(body: bytes) -> Any:
    """Parse a JSON body; numbers come back as the text of their literal.

    Raises:
        AnswerRejectedError: not UTF-8, not JSON, cut short, HTML, or holding characters that no database text can hold.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_exactly(body)
    has_nul = b"\\" in body and b"\\u0000" in body  # a single byte is found twenty times as fast
    return parsed if not has_nul and _is_text_alone(parsed) else _parse_exactly(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The object of a short answer that is no data (a token, an error), or nothing where it is none or cannot be read."""
    try:
        parsed = parse_json(body)
    except AnswerRejectedError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _is_text_alone(parsed: Any) -> bool:
    """Whether a body holds what every parser reads alike, as far down as answers of text go: a record in a list."""
    values = parsed.values() if isinstance(parsed, dict) else [parsed]
    return all(
        type(value) in READ_ALIKE
        or (isinstance(value, dict) and _are_text_alone([value]))
        or (isinstance(value, list) and set(map(type, value)) <= {dict} and _are_text_alone(value))
        for value in values
    )


def _are_text_alone(records: Sequence[dict[str, Any]]) -> bool:
    values = chain.from_iterable(map(dict.values, records))
    try:
        "".join(values)  # asks every value for its type, in two thirds of the time of doing so
    except TypeError:
        return set(map(type, chain.from_iterable(map(dict.values, records)))) <= READ_ALIKE
    return True


def _parse_exactly(body: bytes) -> Any:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise AnswerRejectedError(
                f"the answer is not complete JSON (it ends within a character at byte {error.start})"
            ) from None
        raise AnswerRejectedError(
            f"the answer is not UTF-8 (byte {error.start}); perhaps CP949"
        ) from None
    if text.lstrip()[:1] == "<":
        raise AnswerRejectedError(f"the answer is a web page, not JSON: {text.strip()[:80]!r}")
    try:
        parsed = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except RecursionError:
        raise AnswerRejectedError("the answer is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise AnswerRejectedError(
            f"the answer is not complete JSON ({error.msg} at character {error.pos} of {len(text)})"
        ) from None
    if "\\u0000" in text or "\x00" in text:
        raise AnswerRejectedError("the answer holds a NUL character, which no text column can keep")
    if SURROGATE.search(text) and not _can_be_kept(parsed):
        raise AnswerRejectedError(
            "the answer holds half a character, which no text column can keep"
        )
    return parsed


def says_something(record: Any) -> bool:
    """Whether a record holds anything: where there is nothing to tell a vendor may send `{}`, or one of empty texts."""
    return not isinstance(record, dict) or any(record.values())


def as_count(value: Any) -> int | None:
    """A whole number as vendors write it (`201`, `1,201`, `201.0`); None for anything else."""
    text = str(value).strip().replace(",", "")
    return int(text.partition(".")[0]) if COUNT.fullmatch(text) else None


def _can_be_kept(parsed: Any) -> bool:
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _as_jsonb(extra: Mapping[str, Any]) -> bytes:
    text = json.dumps(extra, ensure_ascii=False, sort_keys=True, default=str)
    return JSONB_VERSION + text.encode()


def _lineage(fetch_id: int, row_count: int) -> dict[str, pa.Array]:
    return {
        "_fetch_id": pa.repeat(pa.scalar(fetch_id, pa.int64()), row_count),
        "_row_number": pa.array(range(row_count), pa.int32()),
    }


def _missing(table: RawTable, field: Field, present: Iterable[str]) -> AnswerRejectedError:
    return AnswerRejectedError(
        f"{table.source} {table.endpoint}: required field {field.vendor_fields[0]} is missing"
        f" (the answer has {', '.join(present)}); if the vendor renamed it, add the new name to {table.contract}"
    )


def records_to_table(
    table: RawTable, records: Sequence[Any], fetch_id: int
) -> tuple[pa.Table, list[str]]:
    """Put JSON records into the columns of their raw table.

    Args:
        table: the field contract.
        records: as parsed by `parse_json`; each must be an object.
        fetch_id: the answer they came with.

    Returns:
        The Arrow table (contract columns, `_extra`, `_fetch_id`, `_row_number`) and the names of fields not in the contract.

    Raises:
        AnswerRejectedError: a record is no object or lacks a required field.
    """
    if not set(map(type, records)) <= {dict}:
        raise AnswerRejectedError(f"{table.source} {table.endpoint}: a record is not an object")
    columns = _text_columns(table, records)
    sent = set[str]().union(*records)
    known = table.vendor_fields
    unknown = sorted(sent - known)
    extras = (
        [{name: value for name, value in record.items() if name not in known} for record in records]
        if unknown
        else []
    )
    columns["_extra"] = (
        pa.array([_as_jsonb(extra) if extra else None for extra in extras], pa.binary())
        if unknown
        else pa.nulls(len(records), pa.binary())
    )
    return pa.table(columns | _lineage(fetch_id, len(records))), unknown


def _text_columns(table: RawTable, records: Sequence[dict[str, Any]]) -> dict[str, pa.Array]:
    """One column of text for each field of the contract, in its order.

    Arrow takes records of text apart itself, ten times faster than value by value in Python; records with other values
    and fields with several names go the slow way.
    """
    single = [field.vendor_fields[0] for field in table.fields if len(field.vendor_fields) == 1]
    try:
        apart = pa.array(records, pa.struct([(name, pa.string()) for name in single])).flatten()
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        apart = []
    fast = dict(zip(single, apart, strict=False))
    columns: dict[str, pa.Array] = {}
    for field in table.fields:
        names = field.vendor_fields
        column = fast.get(names[0]) if len(names) == 1 else None
        if field.is_required and (column is None or column.null_count):
            lacking = next((r for r in records if not any(name in r for name in names)), None)
            if lacking is not None:
                raise _missing(table, field, lacking)
        columns[field.column] = (
            column
            if column is not None
            else pa.array(
                [
                    _as_text(next((record[name] for name in names if name in record), None))
                    for record in records
                ],
                pa.string(),
            )
        )
    return columns


@dataclass(frozen=True)
class SentRecords:
    """Records of one answer that are as they must be, and not yet in Arrow: those of several answers are put there at once.

    Attributes:
        table: the field contract.
        fetch_id: the answer they came with.
        sent: as they were parsed, all with the same fields.
        names: the vendor's name of each field of the contract, in its order, among those of the records.
    """

    table: RawTable
    fetch_id: int
    sent: Sequence[dict[str, Any]]
    names: tuple[str, ...]

    @property
    def num_rows(self) -> int:
        """Number of records."""
        return len(self.sent)

    def values(self, column: str) -> list[str | None]:
        """One column as it will lie in the raw table.

        Raises:
            KeyError: the contract has no such column.
        """
        name = self.names[self.table.positions[column]]
        values = [record.get(name) for record in self.sent]
        return values if set(map(type, values)) <= {str, NoneType} else list(map(_as_text, values))


def take_in(
    table: RawTable, sent: Sequence[Any], fetch_id: int
) -> tuple[SentRecords | pa.Table, list[str]]:
    """What `records_to_table` makes of JSON records, left as it came where all is as it must be.

    Returns:
        The records, and the names of fields not in the contract.

    Raises:
        AnswerRejectedError: a record is no object or lacks a required field.
    """
    if sent and set(map(type, sent)) == {dict}:
        fields = set[str]().union(*sent)
        # as many in each record as in all of them: all have the same
        if fields <= table.vendor_fields and set(map(len, sent)) == {len(fields)}:
            names = table.names_among(fields)
            if names is not None:
                return SentRecords(table, fetch_id, sent, names), []
    return records_to_table(table, sent, fetch_id)


@dataclass(frozen=True)
class PackedRecords:
    """Records of some answers to one endpoint as Arrow values, without what is the same for all that follow each other.

    Attributes:
        table: the field contract.
        values: a struct of text for each record, its fields in the order of the contract.
        fetch_ids: the answers they came with.
        counts: how many records each of these answers has.
    """

    table: RawTable
    values: pa.StructArray
    fetch_ids: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def num_rows(self) -> int:
        """Number of records."""
        return sum(self.counts)


Rows: TypeAlias = PackedRecords | pa.Table
"""Rows of one raw table."""


def pack(answers: Iterable[SentRecords | pa.Table]) -> list[Rows]:
    """Put the records of answers to one endpoint into Arrow, those that are alike at once; what is there already stays."""
    packed: list[Rows] = []
    for names, alike in groupby(answers, _names_of):
        group = list(alike)
        packed += group if names is None else _packed(group)
    return packed


def _names_of(rows: SentRecords | pa.Table) -> tuple[str, ...] | None:
    return rows.names if isinstance(rows, SentRecords) else None


def _packed(answers: Sequence[SentRecords]) -> list[Rows]:
    first = answers[0]
    sent = first.sent if len(answers) == 1 else list(chain.from_iterable(a.sent for a in answers))
    try:
        values = pa.array(sent, _struct_of(first.names))
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # some value is no text
        return [records_to_table(a.table, a.sent, a.fetch_id)[0] for a in answers]
    fetch_ids = tuple(answer.fetch_id for answer in answers)
    counts = tuple(answer.num_rows for answer in answers)
    return [PackedRecords(first.table, values, fetch_ids, counts)]


@cache
def _struct_of(names: tuple[str, ...]) -> pa.StructType:
    return pa.struct([(name, pa.string()) for name in names])


def unpack(rows: Iterable[Rows]) -> list[pa.Table]:
    """What `records_to_table` would have made of the records, as few tables as may be, in the same order."""
    tables: list[pa.Table] = []
    for kind, alike in groupby(rows, _type_of):
        group = list(alike)
        tables += group if kind is None else [_unpacked(group)]
    return tables


def _type_of(rows: Rows) -> pa.StructType | None:
    return rows.values.type if isinstance(rows, PackedRecords) else None


def _unpacked(packed: Sequence[PackedRecords]) -> pa.Table:
    columns = pa.concat_arrays([some.values for some in packed]).flatten()
    fetch_ids = list(chain.from_iterable(some.fetch_ids for some in packed))
    counts = list(chain.from_iterable(some.counts for some in packed))
    return pa.table(
        dict(zip(packed[0].table.column_names, columns, strict=True))
        | {
            "_extra": pa.nulls(sum(counts), pa.binary()),
            "_fetch_id": pa.array(
                list(chain.from_iterable(map(repeat, fetch_ids, counts))), pa.int64()
            ),
            "_row_number": pa.array(list(chain.from_iterable(map(range, counts))), pa.int32()),
        }
    )


def file_to_table(table: RawTable, rows: pa.Table) -> tuple[pa.Table, list[str]]:
    """Put the columns of a typed file under the names and types of their raw table, without lineage.

    Returns:
        The Arrow table (contract columns and `_extra`) and the names of columns not in the contract.

    Raises:
        AnswerRejectedError: a required column is missing, or a value does not fit its type exactly.
    """
    columns: dict[str, pa.Array] = {}
    for field in table.fields:
        name = next((name for name in field.vendor_fields if name in rows.column_names), None)
        if name is None and field.is_required:
            raise _missing(table, field, rows.column_names)
        wanted = ARROW_TYPES[field.data_type]
        if name is None:
            columns[field.column] = pa.nulls(rows.num_rows, wanted)
            continue
        try:
            columns[field.column] = _cast(rows[name], wanted)
        except pa.ArrowInvalid as error:
            raise AnswerRejectedError(
                f"{table.source} {table.endpoint}: column {name} does not fit {field.data_type}: {error}"
            ) from None
    unknown = [
        name
        for name in rows.column_names
        if name not in table.vendor_fields and not name.startswith("__index_level_")  # pandas' own
    ]
    extras = rows.select(unknown).to_pylist() if unknown else [None] * rows.num_rows
    columns["_extra"] = pa.array(
        [None if extra is None else _as_jsonb(extra) for extra in extras], pa.binary()
    )
    return pa.table(columns), unknown


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and wanted == pa.date32():
        return column.cast(pa.date32(), safe=False)  # midnight of the day, in whatever unit
    if pa.types.is_string(wanted) and not (
        pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    ):
        if pa.types.is_floating(column.type):
            raise pa.ArrowInvalid("numbers where text is expected; leading zeros may be lost")
        if pa.types.is_integer(column.type):
            raise pa.ArrowInvalid("integers where text is expected; leading zeros may be lost")
    if pa.types.is_floating(column.type):
        # a file written without pandas' own rules may hold NaN where it means "missing"
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column.cast(wanted, safe=True)


def with_lineage(rows: pa.Table, fetch_id: int) -> pa.Table:
    """Append `_fetch_id` and `_row_number` to the rows of one answer."""
    for name, values in _lineage(fetch_id, rows.num_rows).items():
        rows = rows.append_column(name, values)
    return rows


def sha256_of_rows(rows: pa.Table) -> tuple[str, int]:
    """SHA-256 and byte count of a table's content in its given order, independent of how the file was encoded."""
    sink = pa.BufferOutputStream()
    plain = rows.combine_chunks().replace_schema_metadata(None)
    with pa.ipc.new_stream(sink, plain.schema) as writer:
        writer.write_table(plain)
    buffer = sink.getvalue()
    return hashlib.sha256(buffer).hexdigest(), buffer.size
