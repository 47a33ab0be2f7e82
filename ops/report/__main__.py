"""`python -m ops.report [--output build/report.html]`: writes the quality report of the current database."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from jinja2 import Environment, PackageLoader, StrictUndefined

from loaders import logs
from loaders.calendar import KST
from loaders.database import connect, connection_parameters, read_warehouse
from loaders.errors import LoaderError
from ops.report.sections import SECTIONS, VERDICTS, read

TABLE_LINES = 200
"""Lines of a table on the page; the view has them all."""

log = structlog.get_logger()
app = typer.Typer(add_completion=False)


def _told(value: Any) -> str:
    """A value as a reader wants it: numbers in groups, moments to the minute in Korean time."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "예 yes" if value else "아니오 no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.astimezone(KST).strftime("%Y-%m-%d %H:%M")
    return str(value)


def render() -> str:
    """The page, read from one moment of the database.

    Raises:
        DatabaseError: there is no server, or the database is not set up.
    """
    with connect(autocommit=False, application_name="report") as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        warehouse = read_warehouse(connection)
        verdicts = read(connection, VERDICTS, ("severity desc", "dataset"))
        sections = []
        for section in SECTIONS:
            found = read(connection, section.view, section.order_by)
            columns, rows = found or ([], [])
            chart = section.draw(rows) if section.draw and rows else ""
            sections.append(
                {
                    "section": section,
                    "is_built": found is not None,
                    "columns": columns,
                    "rows": rows,
                    "chart": chart,
                }
            )
    page = Environment(
        loader=PackageLoader("ops.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["told"] = _told
    return page.get_template("page.html").render(
        database=connection_parameters()["dbname"],
        warehouse=warehouse,
        now=warehouse.now(),
        written_at=datetime.now(KST),
        verdicts=verdicts[1] if verdicts else None,
        sections=sections,
        table_lines=TABLE_LINES,
    )


@app.command()
def report(
    output: Annotated[Path, typer.Option(help="where the page goes")] = Path("build/report.html"),
) -> None:
    """Write the quality report as one HTML page that opens without a network."""
    page = render()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    typer.echo(output)


if __name__ == "__main__":
    try:
        logs.configure()
        app()
    except LoaderError as error:
        log.error(str(error))
        sys.exit(1)
