"""The catalogue: every source that is collected, in the order of a load. Adding a source is one line here.

What a source offers stands in its own folder; what its records hold stands in `models/staging/<source>/_*__sources.yml`.
"""

from loaders import fnguide, infomax, kis, kiwoom, krx, marcap, wics
from loaders.errors import UsageError
from loaders.feeds import STOCK_CODE, Collected, Feed, Service, Source

SOURCES: tuple[Source, ...] = (
    infomax.SOURCE,
    krx.SOURCE,
    kis.SOURCE,
    kiwoom.SOURCE,
    wics.SOURCE,
    fnguide.SOURCE,
    marcap.SOURCE,
)


def datasets() -> list[str]:
    """Names of all datasets that any source offers."""
    return sorted({name for source in SOURCES for feed in source.feeds for name in feed.datasets})


def listings() -> list[str]:
    """SQL of all sources for the securities that their lists hold; see `loaders.universe`."""
    return [source.listings for source in SOURCES if source.listings]


def select(
    source_name: str | None, dataset: str | None, scope: str | None, *, live: bool = False
) -> list[tuple[Source, Service, list[Feed]]]:
    """Sources, services and feeds that a command means.

    Without a scope, feeds that exist for single names are left out; with a stock code, only those that take one remain.
    A feed that is a second way to the same data takes part when its source is named. With `live`, only feeds that can look
    at a session while it goes on.

    Raises:
        UsageError: no such source or dataset, or nothing that fits all three.
    """
    names = [source.name for source in SOURCES]
    if source_name and source_name not in names:
        raise UsageError(f"unknown source {source_name!r}; choose one of {', '.join(names)}")
    if dataset and dataset not in datasets():
        raise UsageError(f"unknown dataset {dataset!r}; choose one of {', '.join(datasets())}")
    is_stock_code = bool(STOCK_CODE.fullmatch(scope or ""))

    def takes_part(feed: Feed) -> bool:
        if dataset and dataset not in feed.datasets:
            return False
        if live and feed.poll is None:
            return False
        if is_stock_code:
            return feed.takes_stock_codes
        if scope and feed.takes_stock_codes and not feed.takes(scope):
            return False  # a market, an index or a year is no name to ask for
        if feed.collected is Collected.SCOPE_NAMED:
            return feed.takes(scope or "")
        return feed.collected is Collected.ALWAYS or bool(source_name)

    selected = []
    for source in SOURCES:
        if source_name and source.name != source_name:
            continue
        for service in source.services:
            feeds = [feed for feed in service.feeds if takes_part(feed)]
            if feeds:
                selected.append((source, service, feeds))
    if not selected:
        raise UsageError(
            f"no feed of {source_name or 'any source'} collects {dataset or 'anything'} for scope {scope or 'ALL'}"
            f"{' during the session' if live else ''};"
            " `python -m loaders sources` lists what there is"
        )
    return selected
