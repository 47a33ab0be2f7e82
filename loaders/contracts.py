"""The field contract of every raw table: the dbt source files, read by the loaders too.

What a vendor sends, which of its fields are required and how a raw column is called is written once, in
`models/staging/<source>/_*__sources.yml`, one file a source or one a service of it, where the catalog shows it and dbt reads it.
"""

from collections.abc import Set
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from loaders.config import PROJECT_ROOT

LINEAGE_COLUMNS = {
    "_extra": "jsonb",
    "_fetch_id": "bigint",
    "_row_number": "integer",
    "_dlt_load_id": "text",
}


@dataclass(frozen=True)
class Field:
    """One field of a vendor's record.

    Attributes:
        column: name of the raw column.
        data_type: its PostgreSQL type; `text` keeps the vendor's literal.
        vendor_fields: the names under which the vendor has sent it, newest first.
        is_required: an answer without it is rejected.
    """

    column: str
    data_type: str
    vendor_fields: tuple[str, ...]
    is_required: bool


@dataclass(frozen=True)
class RawTable:
    """One raw table: the records of one vendor endpoint.

    Attributes:
        source: the vendor.
        endpoint: as the contract names it.
        name: of the table in the schema raw.
        fields: in the order of the contract.
        contract: the file that it was read from, below the project's folder.
    """

    source: str
    endpoint: str
    name: str
    fields: tuple[Field, ...]
    contract: str

    def columns(self) -> dict[str, str]:
        """Column name to PostgreSQL type, lineage columns last."""
        return {field.column: field.data_type for field in self.fields} | LINEAGE_COLUMNS

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Columns of the fields, without lineage."""
        return tuple(field.column for field in self.fields)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each of these columns stands among them."""
        return {column: position for position, column in enumerate(self.column_names)}

    @cached_property
    def vendor_fields(self) -> frozenset[str]:
        """Every name under which the vendor may send a field."""
        return frozenset(name for field in self.fields for name in field.vendor_fields)

    @cached_property
    def _newest_names(self) -> tuple[str, ...]:
        return tuple(field.vendor_fields[0] for field in self.fields)

    def names_among(self, sent: Set[str]) -> tuple[str, ...] | None:
        """Of each field the name under which it was sent, or any of its names; None where a required field is missing."""
        if sent == self.vendor_fields:  # as nearly always, and dearer to find out field by field
            return self._newest_names
        names = []
        for field in self.fields:
            name = next((name for name in field.vendor_fields if name in sent), None)
            if name is None and field.is_required:
                return None
            names.append(name or field.vendor_fields[0])
        return tuple(names)


def _field(column: dict[str, Any]) -> Field:
    meta = column.get("config", {}).get("meta", {})
    names = meta.get("vendor_field", column["name"])
    return Field(
        column=column["name"],
        data_type=column["data_type"],
        vendor_fields=tuple(names) if isinstance(names, list) else (names,),
        is_required=meta.get("required", True),
    )


# libyaml reads the contracts in a tenth of the time; PyYAML may have been built without it
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one, see above
    return content


@cache
def raw_tables() -> dict[tuple[str, str], RawTable]:
    """Every raw table of the catalogue, by (source, endpoint)."""
    tables = {}
    for path in sorted(PROJECT_ROOT.glob("models/staging/*/_*__sources.yml")):
        for source in _read(path).get("sources", []):
            for table in source["tables"]:
                endpoint = table.get("config", {}).get("meta", {}).get("endpoint")
                if endpoint is None:  # the ledger's own tables are no vendor's
                    continue
                columns = [c for c in table["columns"] if c["name"] not in LINEAGE_COLUMNS]
                tables[source["name"], endpoint] = RawTable(
                    source=source["name"],
                    endpoint=endpoint,
                    name=table.get("identifier", table["name"]),
                    fields=tuple(_field(column) for column in columns),
                    contract=path.relative_to(PROJECT_ROOT).as_posix(),
                )
    return tables
