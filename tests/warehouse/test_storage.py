"""Minute bars in monthly partitions: made as needed, exchanged by days, taken over from a plain table, never half done.

The tests of this file are one story and run in its order: each one builds on what the one before has left.
"""

import json
from collections.abc import Callable

import psycopg
import pytest

from tests.conftest import Database
from tests.warehouse import storage_project
from tests.warehouse.small_project import SmallProject

TICKS = "select (time at time zone 'Asia/Seoul')::date::text, stock_code, value from marts.ticks order by 1, 2"
PLACES = "select tableoid::regclass::text, count(*) from marts.ticks group by 1 order by 1"


@pytest.fixture(scope="module")
def project(
    new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> SmallProject:
    return storage_project.write(tmp_path_factory.mktemp("storage") / "project", new_database())


def rows(project: SmallProject, query: str = TICKS) -> list[tuple[object, ...]]:
    return project.database.rows(query)


def places(project: SmallProject) -> dict[object, object]:
    """Partitions and the number of their rows."""
    return dict(project.database.rows(PLACES))  # type: ignore[arg-type]


def key_and_indexes(project: SmallProject) -> list[tuple[object, ...]]:
    """Columns of the key and of every index of the table, without their names."""
    return project.database.rows(
        "select indisprimary, pg_get_indexdef(indexrelid) ~ '\\(stock_code, \"?time\"?\\)', count(*) over ()"
        " from pg_index where indrelid = 'marts.ticks'::regclass order by 1 desc"
    )


def test_a_first_build_puts_rows_into_korean_months(project: SmallProject) -> None:
    project.collect(1, "2025-12-31", a=1)
    project.collect(2, "2026-01-01", a=2, b=3)  # 08:30 in Korea: still December in UTC
    project.collect(3, "2026-03-31", a=4)
    project.dbt("run")
    assert places(project) == {
        "partitions.ticks_2025_12": 1,
        "partitions.ticks_2026_01": 2,
        "partitions.ticks_2026_03": 1,
    }
    # contract, key and index are those of the whole table
    assert key_and_indexes(project) == [(True, True, 2), (False, False, 2)]
    with pytest.raises(psycopg.errors.UniqueViolation), project.database.connect() as connection:
        connection.execute("insert into marts.ticks select * from marts.ticks limit 1")
    with pytest.raises(psycopg.errors.NotNullViolation), project.database.connect() as connection:
        connection.execute("insert into marts.ticks (time, value) values ('2026-01-05', 1)")
    # what else is a time series is one table on PostgreSQL alone
    assert rows(project, "select relkind::text from pg_class where relname = 'flows'") == [("r",)]


def test_an_exchange_over_the_end_of_a_month_makes_the_month_that_is_missing(
    project: SmallProject,
) -> None:
    before = rows(project)
    project.collect(4, "2026-03-31", a=40, b=41)
    project.collect(5, "2026-04-01", a=50)
    project.dbt("run")
    assert rows(project) == [
        *before[:3], ("2026-03-31", "a", 40), ("2026-03-31", "b", 41), ("2026-04-01", "a", 50),
    ]  # fmt: skip
    assert places(project)["partitions.ticks_2026_03"] == 2
    assert places(project)["partitions.ticks_2026_04"] == 1
    assert project.database.rows(
        "select day::text, rows_added, rows_changed from ops.mart_changes where mart = 'ticks' and kind = 'DAYS' order by 1"
    ) == [("2026-03-31", 1, 1), ("2026-04-01", 1, 0)]


def test_a_partition_that_somebody_made_is_fine_a_longer_one_too(project: SmallProject) -> None:
    with project.database.connect() as connection:
        connection.execute(
            "create table partitions.by_hand partition of marts.ticks"
            " for values from ('2026-05-01 00:00+09') to ('2026-07-01 00:00+09')"
        )
        # a table that happens to have the name of the next one
        connection.execute("create table partitions.ticks_2026_07 (nothing integer)")
    project.collect(6, "2026-05-06", a=60)
    project.collect(7, "2026-06-08", a=61)
    project.collect(8, "2026-07-01", a=70)
    project.dbt("run")
    assert places(project)["partitions.by_hand"] == 2
    assert places(project)["partitions.ticks_2026_07_2"] == 1


def test_an_error_in_mid_exchange_keeps_the_old_rows_and_a_later_build_goes_on(
    project: SmallProject,
) -> None:
    before, partitions, changes = (
        rows(project),
        places(project),
        "select count(*) from ops.mart_changes",
    )
    changed = rows(project, changes)
    with project.database.connect() as connection:
        # as a full disk would: the rows are deleted, half of the new ones are written, and then there is no room
        connection.execute(
            "create function public.full_disk() returns trigger language plpgsql as $$ begin"
            " raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$;"
            " create trigger full_disk before insert on marts.ticks for each row"
            " when (new.value = 99) execute function public.full_disk()"
        )
    project.collect(9, "2026-03-31", a=42)
    project.collect(10, "2026-08-03", a=98, b=99)
    failed = project.failing("run", "--select", "ticks")
    assert "No space left on device" in failed
    assert (rows(project), places(project), rows(project, changes)) == (before, partitions, changed)
    with project.database.connect() as connection:
        connection.execute("drop function public.full_disk cascade")
    project.dbt("run")
    assert ("2026-03-31", "a", 42) in rows(project)
    assert ("2026-03-31", "b", 41) not in rows(project)
    assert places(project)["partitions.ticks_2026_08"] == 2


def test_a_full_refresh_keeps_partitions_and_leaves_none_behind(project: SmallProject) -> None:
    before, indexes = rows(project), key_and_indexes(project)
    for _ in range(2):
        project.dbt("run", "--full-refresh")
        assert rows(project) == before
        assert key_and_indexes(project) == indexes
        assert len(places(project)) == 8
        # every partition is attached to the table that is there now
        assert rows(
            project,
            "select count(*) from pg_class where relnamespace = 'partitions'::regnamespace"
            " and relkind = 'r' and relispartition",
        ) == [(8,)]
    project.collect(11, "2026-08-04", a=100)
    project.dbt("run")
    assert rows(project) == [*before, ("2026-08-04", "a", 100)]


def test_a_day_is_looked_for_in_its_month_alone(project: SmallProject) -> None:
    query = (
        "explain (format json) select * from marts.ticks"
        " where time >= '2026-03-31 00:00+09' and time < '2026-04-01 00:00+09'"
    )
    plan = json.dumps(rows(project, query)[0][0])
    assert "ticks_2026_03" in plan
    assert not [month for month in ("2025_12", "2026_01", "2026_04", "2026_08") if month in plan]


def test_a_plain_table_goes_on_as_it_is_until_one_command_takes_it_over(
    project: SmallProject,
) -> None:
    with project.database.connect() as connection:
        connection.execute(
            "alter table marts.ticks rename to ticks_partitioned;"
            " create table marts.ticks (like marts.ticks_partitioned including all);"
            " insert into marts.ticks select * from marts.ticks_partitioned;"
            " drop table marts.ticks_partitioned cascade;"
            # a row whose raw answer is gone, and what an administrator has added
            " insert into marts.ticks values ('2019-09-20 09:00+09', 'z', 7);"
            " comment on table marts.ticks is 'a comment';"
            " create role ticks_reader; grant select on marts.ticks to ticks_reader;"
            " create view marts.of_an_analyst as select stock_code, count(*) from marts.ticks group by 1"
        )
    project.collect(12, "2026-09-01", a=110)
    project.dbt("run")
    assert list(places(project)) == ["marts.ticks"]
    kept = rows(project), key_and_indexes(project), project.progress()
    views = rows(project, "select * from marts.of_an_analyst order by 1")
    try:
        told = project.dbt("run-operation", "move_time_series")
        assert "ticks: moved from plain to partitions" in told
        assert (rows(project), key_and_indexes(project), project.progress()) == kept
        assert places(project)["partitions.ticks_2019_09"] == 1
        assert rows(project, "select * from marts.of_an_analyst order by 1") == views
        assert rows(
            project,
            "select obj_description('marts.ticks'::regclass), has_table_privilege('ticks_reader', 'marts.ticks', 'select')",
        ) == [("a comment", True)]
        # the view reads the table that is there now
        project.collect(13, "2026-09-02", a=111, q=112)
        project.dbt("run")
        assert ("q", 1) in rows(project, "select * from marts.of_an_analyst")
        assert "nothing to move" in project.dbt("run-operation", "move_time_series")
    finally:
        with project.database.connect() as connection:
            connection.execute("drop owned by ticks_reader; drop role ticks_reader")


def test_a_move_that_fails_has_changed_nothing(project: SmallProject) -> None:
    with project.database.connect() as connection:
        connection.execute(
            "alter table marts.ticks rename to ticks_partitioned;"
            " create table marts.ticks (like marts.ticks_partitioned including all);"
            " insert into marts.ticks select * from marts.ticks_partitioned;"
            " drop table marts.ticks_partitioned cascade;"
            # not a thing that can be pointed to another table
            " create materialized view marts.in_the_way as select count(*) from marts.ticks"
        )
    before = rows(project)
    assert "in_the_way" in project.failing("run-operation", "move_time_series")
    assert (rows(project), list(places(project))) == (before, ["marts.ticks"])
    with project.database.connect() as connection:
        connection.execute("drop materialized view marts.in_the_way")
    project.dbt("run-operation", "move_time_series")
    assert rows(project) == before
    project.dbt("run")


def test_the_target_timescale_says_what_it_lacks(project: SmallProject) -> None:
    told = project.failing("run", "--full-refresh", "--select", "ticks", "--target", "timescale")
    assert "target timescale needs the extension timescaledb" in told
