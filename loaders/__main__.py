"""`python -m loaders`: load, plan, sources, retract, init. `make load` calls this."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated

import psycopg
import structlog
import typer

from loaders import blocks, calendar, catalogue, ledger, logs, retractions, universe
from loaders.batches import FeedResult, collect_feed
from loaders.bootstrap import initialise
from loaders.collect import Collection
from loaders.config import RunSettings, SourceSettings
from loaders.database import connect, read_warehouse
from loaders.destination import check_adbc
from loaders.due import due_cells, live_cells, live_feed
from loaders.errors import LoaderError, UsageError
from loaders.feeds import STOCK_CODE, Collected, Feed, Service, Source, Status

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
    if last and not first:
        raise UsageError(f"TO={last} needs a FROM")
    for day in (first, last):
        if day:
            calendar.is_session(day)  # outside the calendar: said before anything is asked for
    return first, last


def _why_skipped(
    service: Service, settings: SourceSettings, connection: psycopg.Connection, *, is_sample: bool
) -> str | None:
    """One line on why a service cannot take part, or None."""
    not_configured = _what_is_missing(service, settings)
    if not_configured:
        return f"{not_configured}; {service.how_to_get}"
    if is_sample and settings.base_url == service.settings.model_fields["base_url"].default:
        return (
            f"this database holds the sample market, which only the simulator fills, and {settings.variable('base_url')} is the"
            " vendor's own: `make load` starts the simulator and names it for the sources that it plays"
        )
    until = blocks.blocked_until(connection, settings.base_url)
    if until:
        return f"its host has blocked us and is left alone until {until:%Y-%m-%d %H:%M} KST"
    return None


def _what_is_missing(service: Service, settings: SourceSettings) -> str | None:
    """What the user has to set before a service can be used, or None."""
    missing = settings.missing_secrets()
    if missing:
        return f"{', '.join(missing)} is not set"
    if service.is_crawled and not settings.is_base_url_set:
        return f"off until {settings.variable('base_url')} is set"
    return settings.what_is_wrong()


Selection = Sequence[tuple[Source, Service, list[Feed]]]


def _open_services(
    selection: Selection, connection: psycopg.Connection
) -> Iterator[tuple[Source, list[Feed], Collection | str]]:
    """Each selected service with its open collection, or with the reason why it is skipped."""
    warehouse = read_warehouse(connection)
    for source, service, feeds in selection:
        settings = service.settings()
        reason = _why_skipped(service, settings, connection, is_sample=warehouse.is_sample)
        if reason:
            yield source, feeds, reason
            continue
        collection = Collection(
            source, service, settings, RunSettings(), connection, warehouse, catalogue.listings()
        )
        try:
            yield source, feeds, collection
        finally:
            collection.close()


def _configure_logs(selection: Selection) -> None:
    logs.configure(
        secret for _, service, _ in selection for secret in service.settings().secret_values()
    )


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
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="look at today's session while it goes on; what comes is provisional"
        ),
    ] = False,
) -> None:
    """Collect what is due and missing; with a range, back-fill it."""
    first, last = _range(start, end)
    if live and (first or refresh):
        raise UsageError("--live looks at today's session: leave FROM, TO and REFRESH out")
    selection = catalogue.select(source or None, dataset or None, scope or None, live=live)
    _configure_logs(selection)
    with connect() as connection:
        initialise(connection)
        check_adbc()
        results: list[FeedResult] = []
        skipped = 0
        if scope:
            _warn_of_unknown_code(connection, scope)
        for chosen, feeds, opened in _open_services(selection, connection):
            if isinstance(opened, str):
                log.warning("source skipped", source=chosen.name, reason=opened)
                skipped += 1
                continue
            ledger.take_turn(connection, chosen.name, opened.service.name)
            for feed in feeds:
                if live:
                    cells = live_cells(opened, feed, scope or None)
                else:
                    cells = due_cells(
                        opened, feed, start=first, end=last, scope=scope or None, refresh=refresh
                    )
                if not cells:
                    log.info("nothing due", source=chosen.name, feed=feed.name)
                    continue
                result = collect_feed(
                    opened, live_feed(feed) if live else feed, cells, is_refresh=refresh
                )
                results.append(result)
                _report(result)
                if result.stopped:
                    break
    if not results and skipped < len(selection):
        _tell_why_nothing_is_due(scope, live=live)
    failed = sum(result.cells[Status.FAILED] + result.cells[Status.PARTIAL] for result in results)
    # a look at the session that gave way before its first answer has asked for nothing
    asked = [result for result in results if any(result.cells.values()) or result.stopped]
    nothing_came = bool(asked) and not any(result.collected for result in asked)
    if nothing_came or skipped == len(selection):
        log.error("nothing that was asked for could be collected; the lines above say why")
        raise typer.Exit(1)
    if strict and failed:
        raise typer.Exit(1)


def _warn_of_unknown_code(connection: psycopg.Connection, scope: str) -> None:
    """A mistyped code is asked for all the same: lists may lack old names. What fails then stays in the report for two weeks."""
    if not STOCK_CODE.fullmatch(scope):
        return
    codes = {entry.code for entry in universe.read_listings(connection, catalogue.listings())}
    if codes and scope not in codes:
        log.warning("no list that was collected has this code; is it mistyped?", scope=scope)


def _tell_why_nothing_is_due(scope: str | None, *, live: bool) -> None:
    if live:
        log.info(
            "there is nothing to look at: no session goes on, or its final answers have come",
            hint="leave LIVE out",
        )
    if scope:
        log.warning(
            "nothing is due for this scope: it has been collected, is not there yet, or is the name of nothing",
            scope=scope,
            hint="a stock code has six characters, 005930; other scopes are markets, indices and years",
        )


def _report(result: FeedResult) -> None:
    counts = {str(status).lower(): n for status, n in sorted(result.cells.items()) if n}
    if result.reused:
        log.info(
            "went on where a load was cut short",
            source=result.source,
            feed=result.feed,
            answers_kept=result.reused,
        )
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
    _configure_logs(selection)
    with connect() as connection:
        typer.echo(
            f"{'source':<9}{'feed':<26}{'cells':>8}{'requests':>10}{'minutes':>9}  {'days':<24}datasets"
        )
        for chosen, feeds, opened in _open_services(selection, connection):
            if isinstance(opened, str):
                typer.echo(f"{chosen.name:<9}skipped: {opened}")
                continue
            for feed in feeds:
                cells = due_cells(
                    opened, feed, start=first, end=last, scope=scope or None, refresh=False
                )
                days = f"{cells[0].day}..{cells[-1].day}" if cells else "-"
                requests = feed.request_count(cells)
                rate = opened.settings.requests_per_minute
                minutes = f"{requests / rate:,.1f}" if rate else "-"
                typer.echo(
                    f"{chosen.name:<9}{feed.name:<26}{len(cells):>8,}{requests:>10,}{minutes:>9}  {days:<24}"
                    f"{', '.join(feed.datasets)}"
                )


def _schedule(feed: Feed) -> str:
    day = "next session" if feed.published_after_sessions else "same day"
    what = f"{feed.cadence}, latest state only" if feed.latest_only else str(feed.cadence)
    return f"{what}, {day} {feed.published_at:%H:%M} KST"


@app.command()
def sources() -> None:
    """List every source with its datasets, and what is missing to use it."""
    for source in catalogue.SOURCES:
        typer.echo(f"{source.name} - {source.title}")
        for service in source.services:
            missing = _what_is_missing(service, service.settings())
            typer.echo(f"  {service.name} - {service.title}: {missing or 'ready'}")
            if missing:
                typer.echo(f"    how to get it: {service.how_to_get}")
            for feed in service.feeds:
                only = "" if feed.collected is Collected.ALWAYS else f" ({feed.collected})"
                datasets = ", ".join(feed.datasets)
                typer.echo(f"    {feed.name:<26}{datasets:<36} {_schedule(feed)}{only}")


@app.command()
def retract(
    fetch_id: Annotated[
        int, typer.Argument(help="the answer's fetch_id, as raw and quality.* name it")
    ],
    reason: Annotated[
        str, typer.Option("--reason", help="what is wrong with it; kept in the ledger")
    ],
    undo: Annotated[bool, typer.Option("--undo", help="put a retracted answer back")] = False,
) -> None:
    """Take an answer out of the current state without deleting it; the next dbt build makes its days again."""
    with connect() as connection:
        initialise(connection)
        write = retractions.restore if undo else retractions.retract
        reached = write(connection, fetch_id, reason)
    log.info(
        "restored" if undo else "retracted",
        fetch_id=fetch_id,
        source=reached.source,
        endpoint=reached.endpoint,
        datasets=", ".join(reached.datasets),
        days=reached.days,
        cells=reached.cells,
        cells_without_answer=reached.bare_cells,
        next="run dbt build",
    )


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
    try:
        logs.configure()
        app()
    except UsageError as error:
        log.error(str(error))
        sys.exit(2)
    except LoaderError as error:
        log.error(str(error))
        sys.exit(1)
    except psycopg.OperationalError as error:
        # a server that stops or crashes under a load; connecting has a message of its own
        log.error(
            "the database went away; what was not yet in the ledger does not count: load again",
            reason=" ".join(str(error).split()),
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
