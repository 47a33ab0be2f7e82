"""From a vendor's answer to an Arrow table in the columns of its raw table.

Values are kept as sent: a text stays text, a JSON number keeps its literal (`0.10` stays `0.10`), a typed file keeps its types.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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


def _refuse_constant(literal: str) -> str:
    raise AnswerRejectedError(f"the answer holds {literal}, which is no JSON number")


def parse_json(body: bytes) -> Any:
    """Parse a JSON body; numbers come back as the text of their literal.

    Raises:
        AnswerRejectedError: not UTF-8, not JSON, cut short, HTML, or holding characters that no database text can hold.
    """
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
    return parsed


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
        f" (the answer has {', '.join(present)}); if the vendor renamed it, add the new name to"
        f" models/staging/{table.source}/_{table.source}__sources.yml"
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
    known = {name for field in table.fields for name in field.vendor_fields}
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
    known = {name for field in table.fields for name in field.vendor_fields}
    unknown = [
        name
        for name in rows.column_names
        if name not in known and not name.startswith("__index_level_")  # pandas' own
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
