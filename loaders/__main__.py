"""`python -m loaders`: load, plan, sources, init. `make load` calls this."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated

import psycopg
import structlog
import typer

from loaders import catalogue, logs
from loaders.bootstrap import initialise
from loaders.collect import Collection, FeedResult, collect_feed, due_cells
from loaders.config import RunSettings
from loaders.database import connect, read_warehouse
from loaders.destination import check_adbc
from loaders.errors import LoaderError, UsageError
from loaders.feeds import Feed, Source, Status

app = typer.Typer(
    help="Collect raw vendor answers into the schema raw.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
log = structlog.get_logger()

SourceOption = Annotated[str | None, typer.Option("--source", help="only this source")]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="only this dataset")]
ScopeOption = Annotated[
    str | None, typer.Option("--scope", help="only this stock code or market, for example 005930")
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="first day of a back-fill")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="last day of a back-fill")
]


def _day(text: str | None, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}={text} is no date; write YYYY-MM-DD") from None


def _range(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    first, last = _day(start, "FROM"), _day(end, "TO")
    if first and last and first > last:
        raise UsageError(f"FROM={first} is after TO={last}; exchange them")
    return first, last


def _why_skipped(source: Source, *, is_sample: bool) -> str | None:
    """One line on why a source cannot take part, or None."""
    settings = source.settings()
    missing = settings.missing_secrets()
    if missing:
        return f"{', '.join(missing)} is not set; {source.how_to_get}"
    if is_sample and settings.base_url == source.settings.model_fields["base_url"].default:
        return "this database holds the sample market and the vendor simulator does not play this source"
    return None


def _open_sources(
    selection: Sequence[tuple[Source, list[Feed]]], connection: psycopg.Connection
) -> Iterator[tuple[Source, list[Feed], Collection | str]]:
    """Each selected source with its open collection, or with the reason why it is skipped."""
    warehouse = read_warehouse(connection)
    for source, feeds in selection:
        reason = _why_skipped(source, is_sample=warehouse.is_sample)
        if reason:
            yield source, feeds, reason
            continue
        collection = Collection(source, source.settings(), RunSettings(), connection, warehouse)
        try:
            yield source, feeds, collection
        finally:
            collection.close()


@app.command()
def load(
    source: SourceOption = None,
    dataset: DatasetOption = None,
    start: FromOption = None,
    end: ToOption = None,
    scope: ScopeOption = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="ask again for what is already collected")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="exit with 1 when any cell failed")
    ] = False,
) -> None:
    """Collect what is due and missing; with a range, back-fill it."""
    first, last = _range(start, end)
    selection = catalogue.select(source or None, dataset or None, scope or None)
    logs.configure(
        secret for chosen, _ in selection for secret in chosen.settings().secret_values()
    )
    with connect() as connection:
        initialise(connection)
        check_adbc()
        results: list[FeedResult] = []
        skipped = 0
        for chosen, feeds, opened in _open_sources(selection, connection):
            if isinstance(opened, str):
                log.warning("source skipped", source=chosen.name, reason=opened)
                skipped += 1
                continue
            for feed in feeds:
                cells = due_cells(
                    opened, feed, start=first, end=last, scope=scope or None, refresh=refresh
                )
                if not cells:
                    log.info("nothing due", source=chosen.name, feed=feed.name)
                    continue
                result = collect_feed(opened, feed, cells, show_progress=sys.stderr.isatty())
                results.append(result)
                _report(result)
                if result.stopped:
                    break
    failed = sum(result.cells[Status.FAILED] + result.cells[Status.PARTIAL] for result in results)
    nothing_came = bool(results) and not any(result.collected for result in results)
    if nothing_came or skipped == len(selection):
        log.error("nothing that was asked for could be collected; the lines above say why")
        raise typer.Exit(1)
    if strict and failed:
        raise typer.Exit(1)


def _report(result: FeedResult) -> None:
    counts = {str(status).lower(): n for status, n in sorted(result.cells.items()) if n}
    log.info(
        "collected",
        source=result.source,
        feed=result.feed,
        answers=result.answers,
        rows=result.rows,
        **counts,
    )
    for error in dict.fromkeys(result.errors):
        log.warning("cell failed", source=result.source, feed=result.feed, error=error)
    if result.stopped:
        log.warning("source stopped, others go on", source=result.source, reason=result.stopped)


@app.command()
def plan(
    source: SourceOption = None,
    dataset: DatasetOption = None,
    start: FromOption = None,
    end: ToOption = None,
    scope: ScopeOption = None,
) -> None:
    """Print what is due and missing; load nothing."""
    first, last = _range(start, end)
    selection = catalogue.select(source or None, dataset or None, scope or None)
    logs.configure()
    with connect() as connection:
        typer.echo(f"{'source':<10}{'feed':<18}{'due cells':>10}  {'days':<24}datasets")
        for chosen, feeds, opened in _open_sources(selection, connection):
            if isinstance(opened, str):
                typer.echo(f"{chosen.name:<10}skipped: {opened}")
                continue
            for feed in feeds:
                cells = due_cells(
                    opened, feed, start=first, end=last, scope=scope or None, refresh=False
                )
                days = f"{cells[0].day}..{cells[-1].day}" if cells else "-"
                typer.echo(
                    f"{chosen.name:<10}{feed.name:<18}{len(cells):>10}  {days:<24}"
                    f"{', '.join(feed.datasets)}"
                )


def _schedule(feed: Feed) -> str:
    day = "next session" if feed.published_after_sessions else "same day"
    return f"{feed.cadence}, {day} {feed.published_at:%H:%M} KST"


@app.command()
def sources() -> None:
    """List every source with its datasets, and what is missing to use it."""
    for source in catalogue.SOURCES:
        missing = source.settings().missing_secrets()
        state = f"not configured: {', '.join(missing)} is missing" if missing else "ready"
        typer.echo(f"{source.name} - {source.title}: {state}")
        if missing:
            typer.echo(f"    how to get it: {source.how_to_get}")
        for feed in source.feeds:
            only = " (only with --scope CODE)" if feed.by_request_only else ""
            typer.echo(f"    {feed.name:<18}{', '.join(feed.datasets):<36}{_schedule(feed)}{only}")


@app.command()
def init(
    sample_now: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="mark the database as sample data with this frozen clock",
        ),
    ] = None,
    sample_seed: Annotated[int | None, typer.Option(help="seed of the sample market")] = None,
) -> None:
    """Create schemas, ledger and every raw table, empty; safe to repeat."""
    logs.configure()
    with connect() as connection:
        initialise(connection, sample_now=sample_now, sample_seed=sample_seed)


def main() -> None:
    """Run the command; turn every expected error into one line and an exit code."""
    logs.configure()
    try:
        app()
    except UsageError as error:
        log.error(str(error))
        sys.exit(2)
    except LoaderError as error:
        log.error(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
