"""Daily bars of an invented market of any size and length, made by SQL in the shape of the yearly files (marcap)."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from loaders import calendar

# A close is a wave about the name's own price, in steps of ten won between 5,000 and 20,000; no gap, no action.
CLOSE = "(10 * round((650 + name % 850) * (1 + 0.2 * sin((session + {shift}) / 20.0 + name))))::double precision"

BARS = f"""
select
    '9' || lpad(name::text, 5, '0') as code,
    '표본' || name as name,
    close,
    '' as dept,
    case sign(close - before) when 1 then '1' when -1 then '2' else '3' end as change_code,
    close - before as changes,
    round((100 * (close / before - 1))::numeric, 2)::double precision as changes_ratio,
    volume,
    close * volume as amount,
    before as open,
    greatest(close, before) as high,
    least(close, before) as low,
    close * shares as marcap,
    shares as stocks,
    case when name % 3 = 0 then 'KOSPI' else 'KOSDAQ' end as market,
    case when name % 3 = 0 then 'STK' else 'KSQ' end as market_id,
    name::double precision as rank,
    day as date
from unnest(%(days)s::date[], %(sessions)s::integer[]) as sessions (day, session)
cross join generate_series(1, %(names)s) as name
cross join lateral (
    select
        {CLOSE.format(shift=0)} as close,
        {CLOSE.format(shift=-1)} as before,
        (1000 + (name * 7919 + session * 104729) %% 50000)::double precision as volume,
        (1000000 * (1 + name % 90))::double precision as shares
) as made
""".replace("name % ", "name %% ")

COLUMNS = (
    "code, name, close, dept, change_code, changes, changes_ratio, volume, amount, open, high, low, marcap, stocks,"
    " market, market_id, rank, date"
)

LEDGER = """
with answers as (
    insert into raw.fetches (fetch_id, source, endpoint, request, fetched_at, row_count, byte_count, payload_sha256)
    select
        nextval('raw.fetch_id_sequence'), 'marcap', 'daily',
        jsonb_build_object('file', to_char(day, '"marcap-"YYYY".parquet"'), 'date', day::text),
        published_at + interval '5 minutes', %(names)s, 0, md5(day::text)
    from unnest(%(days)s::date[], %(published)s::timestamptz[]) as answers (day, published_at)
    order by day
    returning fetch_id, (request ->> 'date')::date as day, fetched_at
)
insert into raw.fetch_cells (
    attempt_id, source, dataset, scope, collection_date, status, fetch_id, started_at, completed_at, published_at
)
select
    fetch_id, 'marcap', dataset, 'ALL', day, 'SUCCESS', fetch_id, fetched_at, fetched_at, fetched_at - interval '5 minutes'
from answers
cross join unnest(array['ohlcv_daily', 'market_cap_daily']) as dataset
order by fetch_id
"""

INTO_RAW = f"""
insert into raw.marcap__daily ({COLUMNS}, _fetch_id, _row_number, _dlt_load_id)
select bars.*, fetches.fetch_id, bars.rank::integer - 1, '1790000000.0000000'
from ({BARS}) as bars
inner join raw.fetches
    on fetches.source = 'marcap' and fetches.request ->> 'date' = bars.date::text
order by fetches.fetch_id, bars.rank
"""


# what foreigners hold is asked for name by name: of the ledger's cells the most are of this kind
OWNERSHIP = """
with names as (
    select
        nextval('raw.fetch_id_sequence') as fetch_id, day, session, name, '9' || lpad(name::text, 5, '0') as code,
        published_at + interval '5 minutes' as fetched_at
    from unnest(%(days)s::date[], %(sessions)s::integer[], %(published)s::timestamptz[]) as sessions (day, session, published_at)
    cross join generate_series(1, %(names)s) as name
    order by day, name
),

answers as (
    insert into raw.fetches (fetch_id, source, endpoint, request, fetched_at, row_count, byte_count, payload_sha256)
    select fetch_id, 'infomax', 'stock/foreign', jsonb_build_object('code', code, 'startDate', to_char(day, 'YYYYMMDD')),
        fetched_at, 1, 0, md5(day || code)
    from names
),

cells as (
    insert into raw.fetch_cells (
        attempt_id, source, dataset, scope, collection_date, status, fetch_id, started_at, completed_at, published_at
    )
    select fetch_id, 'infomax', 'foreign_ownership_daily', code, day, 'SUCCESS', fetch_id, fetched_at, fetched_at,
        fetched_at - interval '5 minutes'
    from names
)

insert into raw.infomax__stock_foreign (
    date, code, listed_shares, frn_ownership_vol, frn_ownership_ratio, frn_limit_ratio, _fetch_id, _row_number, _dlt_load_id
)
select
    to_char(day, 'YYYYMMDD'), code, (1000000 * (1 + name %% 90))::text, (100000 + (session * 7919 + name) %% 1000)::text,
    round(100.0 * (100000 + (session * 7919 + name) %% 1000) / (1000000 * (1 + name %% 90)), 2)::text, '100.00',
    fetch_id, 0, '1790000000.0000000'
from names
"""


def _asked(days: Sequence[date], names: int) -> dict[str, object]:
    first = calendar.sessions(date(2010, 1, 4), days[-1])
    number = {day: position for position, day in enumerate(first)}
    return {
        "days": list(days),
        "sessions": [number[day] for day in days],
        "published": [f"{calendar.next_session(day)} 08:00+09" for day in days],
        "names": names,
    }


def put_into_raw(connection: psycopg.Connection, days: Sequence[date], names: int) -> None:
    """Days as if each had been collected on the next morning: raw rows, answers, cells, statistics."""
    asked = _asked(days, names)
    with connection.transaction():
        connection.execute(LEDGER, asked)
        connection.execute(INTO_RAW, asked)
    connection.execute("analyze raw.marcap__daily; analyze raw.fetches; analyze raw.fetch_cells")


def put_ownership_into_raw(
    connection: psycopg.Connection, days: Sequence[date], names: int
) -> None:
    """What foreigners hold, as if each name had been asked for on the next morning: an answer and a cell a name and day."""
    connection.execute(OWNERSHIP, _asked(days, names))
    connection.execute(
        "analyze raw.infomax__stock_foreign; analyze raw.fetches; analyze raw.fetch_cells"
    )


def write_file(
    connection: psycopg.Connection, folder: Path, days: Sequence[date], names: int
) -> Path:
    """Days as the yearly file that the source publishes; returns its path."""
    cursor = connection.execute(
        f"select * from ({BARS}) as bars order by date, rank", _asked(days, names)
    )
    assert cursor.description is not None
    vendor_names = [
        {"changes_ratio": "ChangesRatio", "change_code": "ChangeCode", "market_id": "MarketId"}.get(
            column.name, column.name.capitalize()
        )
        for column in cursor.description
    ]
    columns = zip(*cursor.fetchall(), strict=True)
    path = folder / f"marcap-{days[0].year}.parquet"
    pq.write_table(pa.table(dict(zip(vendor_names, map(list, columns), strict=True))), path)
    return path
