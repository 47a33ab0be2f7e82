"""The target timescale on a real TimescaleDB: hypertables, compression, exchanges in compressed chunks, moves and back.

The tests of this file are one story and run in its order. A small project over the real macros: the WebAssembly build that
serves where no other server is named takes one connection at a time.
"""

from collections.abc import Iterator

import pytest

from tests.conftest import Database
from tests.timescale.server import initialise, timescale_database
from tests.warehouse import storage_project
from tests.warehouse.small_project import SmallProject

TABLES = ("ticks", "flows")
ONE_CONNECTION = ("--threads", "1")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with timescale_database() as database:
        initialise(database)
        yield database


@pytest.fixture(scope="module")
def project(database: Database, tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    project = storage_project.write(tmp_path_factory.mktemp("timescale") / "project", database)
    (project.folder / "models" / "prices.sql").write_text(PRICES)
    (project.folder / "models" / "prices.yml").write_text(PRICES_PROPERTIES)
    return project


def dbt(project: SmallProject, *arguments: str, target: str = "timescale") -> str:
    return project.dbt(*arguments, *ONE_CONNECTION, "--target", target)


def rows(project: SmallProject) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the time series."""
    return {
        table: project.database.rows(f"select * from marts.{table} order by 1, 2")
        for table in TABLES
    }


def kinds(project: SmallProject) -> list[tuple[object, ...]]:
    """Which tables are what."""
    return project.database.rows(
        "select relname::text, case when relname in (select hypertable_name from timescaledb_information.hypertables)"
        " then 'hypertable' else relkind::text end from pg_class"
        " where relname in ('ticks', 'flows') and relnamespace = 'marts'::regnamespace order by 1"
    )


# daily bars of the values: none is traded at a value that five divides
PRICES = """
{{ config(
    materialized='incremental',
    incremental_strategy='swap_days',
    meta={
        'day_column': 'time', 'datasets': ['bars'],
        'timeseries': {
            'native_partitions': none, 'chunk_interval': 'timeseries_chunk_interval',
            'aggregated_by': 'aggregated_bars', 'aggregates': {'prices_weekly': 'week', 'prices_monthly': 'month'},
        },
    },
) }}
select
    time,
    stock_code,
    case when value % 5 <> 0 then 100 + value end as open_price,
    case when value % 5 <> 0 then 102 + value end as high_price,
    case when value % 5 <> 0 then 99 + value end as low_price,
    101 + value as close_price,
    value::bigint as volume,
    100 * value::bigint as trading_value,
    created_at
from {{ ref('flows') }} where true {{ and_in_days_to_rebuild('time') }}
"""
PRICES_PROPERTIES = """
models:
  - name: prices
    config: {contract: {enforced: true}}
    constraints: [{type: primary_key, columns: [stock_code, time]}]
    columns:
      - {name: time, data_type: date, constraints: [{type: not_null}]}
      - {name: stock_code, data_type: text, constraints: [{type: not_null}]}
      - {name: open_price, data_type: integer}
      - {name: high_price, data_type: integer}
      - {name: low_price, data_type: integer}
      - {name: close_price, data_type: integer}
      - {name: volume, data_type: bigint}
      - {name: trading_value, data_type: bigint}
      - {name: created_at, data_type: timestamptz}
"""
# What the aggregates have to hold, as the marts of weeks and months say it on every target.
WEEKS_AND_MONTHS = {
    "flows": """
        select date_trunc('{period}', time::timestamp)::date, stock_code, investor_type,
            sum(net_buy_volume)::bigint, sum(net_buy_value)::bigint, count(*)::integer, min(created_at)
        from marts.flows group by 1, 2, 3 order by 1, 2, 3
    """,
    "prices": """
        select date_trunc('{period}', time::timestamp)::date, stock_code,
            (array_agg(open_price order by time) filter (where open_price is not null))[1],
            max(high_price), min(low_price),
            coalesce(
                (array_agg(close_price order by time desc) filter (where open_price is not null))[1],
                (array_agg(close_price order by time desc))[1]
            ),
            sum(volume)::bigint, sum(trading_value)::bigint, count(*)::integer, count(open_price)::integer, min(created_at)
        from marts.prices group by 1, 2 order by 1, 2
    """,
}


def aggregates_agree(project: SmallProject) -> None:
    """Weeks and months of the continuous aggregates are those of the rows, to the last column."""
    for table, query in WEEKS_AND_MONTHS.items():
        for period in ("week", "month"):
            kept = project.database.rows(
                f"select * from aggregates.{table}_{period}ly order by 1, 2, 3"
            )
            assert kept
            assert kept == project.database.rows(query.format(period=period))


def compress(project: SmallProject) -> int:
    """Do what the policy does, which has no jobs in WebAssembly; returns how many of the tables' chunks are compressed.

    Where there are jobs, chunks of the aggregates are compressed too.
    """
    with project.database.connect() as connection:
        for table in TABLES:
            connection.execute(
                f"select compress_chunk(chunk, if_not_compressed => true) from show_chunks('marts.{table}') as chunk"
            )
    ((count,),) = project.database.rows(
        "select count(*) from timescaledb_information.chunks where is_compressed"
        f" and hypertable_schema = 'marts' and hypertable_name in {TABLES}"
    )
    return int(str(count))


HYPERTABLES = [("flows", "hypertable"), ("ticks", "hypertable")]


def test_a_first_build_makes_hypertables_with_key_compression_and_policies(
    project: SmallProject,
) -> None:
    project.collect(1, "2026-01-05", a=1, b=2)
    project.collect(
        0, "2026-01-06", a=6, b=7
    )  # of the same chunk: packed together with the day before
    project.collect(2, "2026-01-20", a=3, b=4)
    project.collect(3, "2026-02-03", a=5)
    dbt(project, "run")
    assert kinds(project) == HYPERTABLES
    assert len(rows(project)["ticks"]) == 7
    assert project.database.rows(
        "select table_name, count(*) from information_schema.table_constraints"
        " where constraint_type = 'PRIMARY KEY' and table_name in ('flows', 'ticks') group by 1 order by 1"
    ) == [("flows", 1), ("ticks", 1)]
    assert project.database.rows(
        "select hypertable_name, time_interval::text from timescaledb_information.dimensions"
        " where hypertable_name in ('flows', 'ticks') order by 1"
    ) == [("flows", "7 days"), ("ticks", "7 days")]
    assert project.database.rows(
        "select hypertable_name, string_agg(attname || coalesce(' segment ' || segmentby_column_index, '')"
        " || case when orderby_asc then '' when not orderby_asc then ' desc' else '' end, ', '"
        " order by segmentby_column_index, orderby_column_index)"
        " from timescaledb_information.compression_settings where hypertable_name in ('flows', 'ticks') group by 1 order by 1"
    ) == [
        ("flows", "stock_code segment 1, time desc, investor_type"),
        ("ticks", "stock_code segment 1, time desc"),
    ]
    # the refresh of what others write, beside that of every build
    aggregates_agree(project)
    assert project.database.rows(
        "select count(*) from timescaledb_information.jobs where proc_name = 'policy_refresh_continuous_aggregate'"
        " and schedule_interval = interval '1 hour'"
    ) == [(4,)]
    # nothing is dropped unless somebody says so
    assert project.database.rows(
        "select hypertable_name, proc_name, config ->> 'compress_after' from timescaledb_information.jobs"
        " where hypertable_name in ('flows', 'ticks') order by 1, 2"
    ) == [("flows", "policy_compression", "14 days"), ("ticks", "policy_compression", "14 days")]


def test_days_are_exchanged_in_compressed_chunks_beyond_the_limit_of_the_extension(
    project: SmallProject,
) -> None:
    assert compress(project) == 6
    with project.database.connect() as connection:
        # what a day of the whole market is to the usual limit of 100,000 rows; the second one for WebAssembly, where
        # all connections are one session and the settings of a database are not read
        limit = "set timescaledb.max_tuples_decompressed_per_dml_transaction = 1"
        connection.execute(f"alter database {project.database.environment['PGDATABASE']} {limit}")
        connection.execute(limit)
    project.collect(4, "2026-01-05", a=10, c=11)
    project.collect(5, "2026-03-02", a=12)
    dbt(project, "run")
    told = project.database.rows(
        "select (time at time zone 'Asia/Seoul')::date::text, stock_code, value from marts.ticks order by 1, 2"
    )
    assert told == [
        ("2026-01-05", "a", 10), ("2026-01-05", "c", 11),
        ("2026-01-06", "a", 6), ("2026-01-06", "b", 7), ("2026-01-20", "a", 3), ("2026-01-20", "b", 4),
        ("2026-02-03", "a", 5), ("2026-03-02", "a", 12),
    ]  # fmt: skip
    assert [row[3] for row in rows(project)["flows"]] == [10, 11, 6, 7, 3, 4, 5, 12]
    # what lies between the two days has stayed packed
    assert project.database.rows(
        "select hypertable_name, string_agg(range_start::date::text, ', ' order by range_start)"
        " from timescaledb_information.chunks where hypertable_name in ('flows', 'ticks')"
        " and pg_relation_size(format('%I.%I', chunk_schema, chunk_name)::regclass) > 0 group by 1 order by 1"
    ) == [("flows", "2026-01-01, 2026-02-26"), ("ticks", "2026-01-01, 2026-02-26")]
    # the late correction has reached its week and its month, and the stock that is gone from the day is gone from them
    aggregates_agree(project)
    assert project.database.rows(
        "select stock_code, net_buy_volume_weekly, session_count from aggregates.flows_weekly"
        " where week = '2026-01-05' order by 1"
    ) == [("a", 16000, 2), ("b", 7000, 1), ("c", 11000, 1)]


def test_of_packed_days_the_names_that_differ_are_exchanged_and_the_others_stay_packed(
    project: SmallProject,
) -> None:
    compress(project)
    # of two names one has another value, and of another day none
    project.collect(8, "2026-01-06", a=6, b=70)
    project.collect(9, "2026-01-20", a=3, b=4)
    dbt(project, "run")
    assert project.database.rows(
        "select (time at time zone 'Asia/Seoul')::date::text, stock_code, value from marts.ticks"
        " where time between '2026-01-06 00:00+09' and '2026-01-21 00:00+09' order by 1, 2"
    ) == [("2026-01-06", "a", 6), ("2026-01-06", "b", 70), ("2026-01-20", "a", 3), ("2026-01-20", "b", 4)]  # fmt: skip
    aggregates_agree(project)
    chunks = project.database.rows("select chunk::text from show_chunks('marts.ticks') as chunk")
    assert {
        name
        for (chunk,) in chunks
        for (name,) in project.database.rows(f"select stock_code from only {chunk}")
    } == {"b"}
    # a name that is gone from a packed day, and one that has come
    project.collect(10, "2026-01-20", a=3, d=8)
    dbt(project, "run")
    assert project.database.rows(
        "select stock_code, value from marts.ticks where time between '2026-01-20 00:00+09' and '2026-01-21 00:00+09' order by 1"
    ) == [("a", 3), ("d", 8)]
    aggregates_agree(project)
    # as the tests after this one know it
    project.collect(11, "2026-01-06", a=6, b=7)
    project.collect(12, "2026-01-20", a=3, b=4)
    dbt(project, "run")


def test_a_full_refresh_makes_hypertables_again(project: SmallProject) -> None:
    before = rows(project)
    dbt(project, "run", "--full-refresh")
    assert (rows(project), kinds(project)) == (before, HYPERTABLES)
    assert project.database.rows(
        "select count(*) from timescaledb_information.jobs where hypertable_name in ('flows', 'ticks')"
    ) == [(2,)]
    assert project.database.rows("select count(*) from marts.newest_ticks") == [(3,)]
    # the server dropped the aggregates with the table, and the build has made them again
    aggregates_agree(project)


def test_an_aggregate_that_lacks_a_column_is_made_again(project: SmallProject) -> None:
    project.database.execute("drop materialized view aggregates.prices_weekly")
    project.database.execute(
        "create materialized view aggregates.prices_weekly with (timescaledb.continuous) as"
        " select time_bucket(interval '7 days', time) as week, stock_code, sum(volume)::bigint as volume"
        " from marts.prices group by 1, 2 with no data"
    )
    dbt(project, "run")
    aggregates_agree(project)


def test_an_existing_database_moves_to_plain_and_back_and_loses_nothing(
    project: SmallProject,
) -> None:
    compress(project)
    before = rows(project)
    told = dbt(project, "run-operation", "move_time_series", target="postgres")
    assert "ticks: moved from hypertable to partitions" in told
    assert "flows: moved from hypertable to plain" in told
    assert (rows(project), kinds(project)) == (before, [("flows", "r"), ("ticks", "p")])
    assert project.database.rows(
        "select count(*) from timescaledb_information.continuous_aggregates"
    ) == [(0,)]
    # each target builds on, on what it finds and on what it would make
    project.collect(6, "2026-04-01", a=13)
    dbt(project, "run", target="postgres")
    project.collect(7, "2026-05-04", a=14)
    dbt(project, "run")
    grown = rows(project)
    assert len(grown["ticks"]) == len(before["ticks"]) + 2
    told = dbt(project, "run-operation", "move_time_series")
    assert "ticks: moved from partitions to hypertable" in told
    assert (rows(project), kinds(project)) == (grown, HYPERTABLES)
    assert project.database.rows("select count(*) from marts.newest_ticks") == [(3,)]
    dbt(project, "run")
    aggregates_agree(project)
    assert compress(project) > 6


def test_retention_is_a_policy_where_it_is_asked_for(project: SmallProject) -> None:
    asked = ("--vars", "{timeseries_retention: 3650 days, timeseries_chunk_interval: 30 days}")
    dbt(project, "run", "--full-refresh", "--select", "ticks", *asked)
    assert project.database.rows(
        "select config ->> 'drop_after' from timescaledb_information.jobs where proc_name = 'policy_retention'"
    ) == [("3650 days",)]
    assert project.database.rows(
        "select time_interval::text from timescaledb_information.dimensions where hypertable_name = 'ticks'"
    ) == [("30 days",)]
