"""The securities that the collected lists hold: whom a feed asks for that goes from stock to stock.

Each source says in `Source.listings` how its own raw lists tell codes and dates. This is the vendors' word as it came, for
planning requests only; what is true stands in the mart `stocks`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

CURRENT_FETCHES = """
    select fetch_id
    from (
        select fetch_id, attempt_id, max(attempt_id) over (partition by source, dataset, scope) as newest_attempt_id
        from raw.fetch_cells
        where source = '{source}' and dataset = '{dataset}' and status in ('SUCCESS', 'UNCHANGED')
            and attempt_id not in (select attempt_id from raw.retracted_attempts)
    ) as attempts
    where attempt_id = newest_attempt_id
"""


@dataclass(frozen=True)
class Listing:
    """A security by the vendors' lists.

    Attributes:
        code: six characters.
        isin: or None.
        kind: STOCK, ETF, ETN or OTHER.
        is_konex: listed on KONEX, which some vendors do not have.
        listed: listing date as YYYYMMDD, or empty.
        delisted: first day on which it is no longer listed as YYYYMMDD, or None.
    """

    code: str
    isin: str | None
    kind: str
    is_konex: bool
    listed: str
    delisted: str | None

    def is_listed(self, yyyymmdd: str) -> bool:
        """Whether it is listed on a day."""
        return self.listed <= yyyymmdd and (self.delisted is None or yyyymmdd < self.delisted)


def current_fetches(source: str, dataset: str) -> str:
    """SQL for the fetch ids that a source's lists rest on now; for `Source.listings`."""
    return CURRENT_FETCHES.format(source=source, dataset=dataset)


def read_listings(connection: psycopg.Connection, queries: Iterable[str]) -> Sequence[Listing]:
    """Listings of all sources, one a code and listing date.

    Args:
        connection: to the warehouse.
        queries: each gives code, isin, kind, is_konex, listed and delisted, the dates as YYYYMMDD with any separator.
    """
    union = " union all ".join(f"({query})" for query in queries)
    if not union:
        return ()
    rows = connection.execute(
        f"""
        select
            code,
            max(isin),
            -- a list of funds knows them better than one that calls everything a stock
            coalesce(max(kind) filter (where kind <> 'STOCK'), 'STOCK'),
            bool_or(is_konex),
            coalesce(translate(listed, '-/.', ''), ''),
            max(translate(delisted, '-/.', ''))
        from ({union}) as listings (code, isin, kind, is_konex, listed, delisted)
        where code ~ '^[0-9][0-9A-Z]{{5}}$'
        group by code, coalesce(translate(listed, '-/.', ''), '')
        order by code, coalesce(translate(listed, '-/.', ''), '')
        """  # noqa: S608 - the queries are the sources' own
    )
    return [Listing(*row) for row in rows]


def listed_on(listings: Sequence[Listing], day: date) -> list[Listing]:
    """Those listed on a day, one a code, by code.

    Lists that differ in the day of a listing make two of it: a list of funds knows them better there too.
    """
    on_day = day.strftime("%Y%m%d")
    found: dict[str, Listing] = {}
    for entry in listings:
        known = found.get(entry.code)
        is_better = known is None or known.kind == "STOCK" or entry.kind != "STOCK"
        if is_better and entry.is_listed(on_day):
            found[entry.code] = entry
    return list(found.values())
