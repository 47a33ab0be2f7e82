"""Lists that tell the latest state: stock master, delisted names, indices and their members."""

import string
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import date

from loaders.collect import Attempt, Collection
from loaders.feeds import Answer, Cell, Outcome, Status
from loaders.indices import indices, infomax_code
from loaders.infomax import api
from loaders.universe import current_fetches

MASTER_TYPES = ("ST", "MF", "RT", "SC", "IF", "DR", "FS", "EF", "EN")
"""Security types of the master: stocks and stock-like, ETF, ETN. ELW and warrants are left out."""

CODE_LENGTH = 6
FIRST_DELISTING_YEAR = 1995

CODE_OF_NOTE = "regexp_replace({}, '^Q([0-9][0-9A-Z]{{5}})$', '\\1')"
"""SQL: the exchange's code of a note (ETN), before which vendors write a Q; for the models it is the macro code_of_note."""

LISTINGS = f"""
    select
        {CODE_OF_NOTE.format("codes.code")},
        codes.isin,
        case fetches.request ->> 'type' when 'EF' then 'ETF' when 'EN' then 'ETN' else 'STOCK' end,
        false,
        codes.listed_date,
        null
    from raw.infomax__stock_code as codes
    inner join raw.fetches as fetches on codes._fetch_id = fetches.fetch_id
    where codes._fetch_id in ({current_fetches("infomax", "stocks")})
    union all
    select
        {CODE_OF_NOTE.format("code")},
        isin,
        case
            when equity_type in ('EF', 'ETF') then 'ETF'
            when equity_type in ('EN', 'ETN') then 'ETN'
            when equity_type in ('EW', 'ELW') then 'OTHER'
            else 'STOCK'
        end,
        false,
        listed_date,
        delisted_date
    from raw.infomax__stock_expired
    where _fetch_id in ({current_fetches("infomax", "delisted_stocks")})
"""  # noqa: S608 - names of our own tables


def _parts(prefix: str) -> list[str]:
    """Longer code prefixes that together cover a prefix.

    Codes begin with two digits. By the rule of 2024 letters stand in the fifth place (0126Z0) and in the sixth (00104K);
    they are looked for from the third on, where the exchange's rule leaves room for them.
    """
    if not prefix:
        return [f"{number:02d}" for number in range(100)]
    return [prefix + character for character in string.digits + string.ascii_uppercase]


def _one_type(attempt: Attempt, collection: Collection, security_type: str) -> None:
    """Ask for all names of one type; an answer that is cut is asked again by ever longer prefixes of the code.

    `code` matches anywhere in a code, so answers overlap; staging keeps one record a code. What the cut answers showed
    must come again under some prefix: if it does not, the prefixes do not cover the vendor's codes.
    """
    pending, shown, found = deque([""]), set[str](), set[str]()
    answer: Answer | None = None
    while pending and not attempt.is_stopped:
        prefix = pending.popleft()
        answer = api.ask(attempt, collection, "stock/code", type=security_type, code=prefix)
        codes = set(answer.column("code"))
        strangers = [code for code in codes if prefix not in (code or "")]
        if strangers:
            answer.error = (
                f"stock/code: asked for codes with {prefix}, the answer holds {min(strangers)};"
                " the vendor no longer filters by code, and its list is cut"
            )
            return
        if not api.is_cut(collection, answer):
            found |= codes
        elif len(prefix) == CODE_LENGTH:
            api.fail_if_cut(collection, answer)
        else:
            shown |= codes
            pending.extend(_parts(prefix))
    lost = shown - found
    if answer and lost and not any(answer.error for answer in attempt.answers):
        answer.error = (
            f"stock/code: {len(lost)} codes of type {security_type} come under no prefix, {min(lost)} among them;"
            " the pattern of codes has changed (loaders/infomax/lists.py)"
        )


def collect_master(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/code` by security type."""
    for cell in cells:
        attempt = collection.attempt([cell])
        for security_type in MASTER_TYPES:
            if not attempt.is_stopped:
                _one_type(attempt, collection, security_type)
        attempt.fail_if_codes_are_none("code")
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def master_requests(cells: Sequence[Cell]) -> int:
    """Requests for the master: a type once, stocks and funds by two-digit prefix as well, since both are cut."""
    return len(cells) * (len(MASTER_TYPES) + 2 * len(_parts("")))


def delisting_years(collection: Collection, day: date) -> list[str]:
    """Years to ask for: each past one until it is known, this and the last one at every look.

    A past year without a name is believed on the second day that says so: one bad day would leave it empty for good.
    """
    known = collection.connection.execute(
        "select scope from raw.fetch_cells where source = 'infomax'"
        " and dataset = 'delisted_stocks' and status in ('SUCCESS', 'UNCHANGED', 'EMPTY')"
        " and attempt_id not in (select attempt_id from raw.retracted_attempts)"
        " group by scope having bool_or(status <> 'EMPTY') or count(distinct collection_date) > 1"
    )
    done = {scope for (scope,) in known}
    years = range(FIRST_DELISTING_YEAR, day.year + 1)
    return [str(year) for year in years if str(year) not in done or year >= day.year - 1]


def collect_delisted(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`stock/expired` by year of delisting; the scope is the year."""
    for cell in cells:
        attempt = collection.attempt([cell])
        answer = api.ask(
            attempt,
            collection,
            "stock/expired",
            startDate=f"{cell.scope}0101",
            endDate=min(f"{cell.scope}1231", api.yyyymmdd(cell.day)),
        )
        api.fail_if_cut(collection, answer)
        yield attempt.outcome()


def collect_index_list(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`index/code`: every index that the vendor has."""
    for cell in cells:
        attempt = collection.attempt([cell])
        api.fail_if_cut(collection, api.ask(attempt, collection, "index/code"))
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)


def indices_with_members(_collection: Collection, _day: date) -> list[str]:
    """Names of the indices whose members are collected: those with a fixed number of them."""
    return [index.name for index in indices() if index.infomax_code and index.expected_members]


def collect_index_members(collection: Collection, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """`index/constituents`: the members of an index now; the scope is the index's canonical name.

    A list that lost a tenth of its members is refused by the feed; whether the count is right is tested in dbt, where an
    index may have a member more for a while (a split-off).
    """
    for cell in cells:
        attempt = collection.attempt([cell])
        answer = api.ask(attempt, collection, "index/constituents", code=infomax_code(cell.scope))
        api.fail_if_cut(collection, answer)
        yield attempt.outcome(when_empty=Status.NOT_PUBLISHED)
