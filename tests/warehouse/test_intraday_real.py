"""Real pictures of the market on two days in 2026, taken while it traded: volumes that still grow are not taken for the day's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import Database
from tests.replay import Asked, Reply, replaying
from tests.replayed_portal import DATA

SAMPLE = {"X-Sample-Data": "recorded"}
"""Only a warehouse for sample data has a clock that can be set to the days of the pictures."""

PORTAL = ("load", "--source", "krx", "--dataset", "ohlcv_daily")
TOLD = {
    "TDD_CLSPRC": "Close", "TDD_OPNPRC": "Open", "TDD_HGPRC": "High", "TDD_LWPRC": "Low", "ACC_TRDVOL": "Volume",
    "ACC_TRDVAL": "Amount", "MKTCAP": "Marcap", "LIST_SHRS": "Stocks", "ISU_SRT_CD": "Code", "ISU_ABBRV": "Name",
    "MKT_NM": "Market",
}  # fmt: skip


@dataclass
class Portal:
    """The exchange's portal, which tells the newest picture that was taken by then; `by` says when it looks."""

    pictures: pd.DataFrame
    by: str = ""

    def __call__(self, asked: Asked) -> Reply:
        if asked.path != DATA:
            return Reply("<html></html>", headers=SAMPLE)
        taken = self.pictures[self.pictures.collected_at <= self.by]
        taken = taken[
            taken.file_date == datetime.strptime(asked.fields["trdDd"], "%Y%m%d").date().isoformat()
        ]
        before = self.pictures[self.pictures.file_date == taken.file_date.min()]
        closes = before[before.collected_at == before.collected_at.min()].set_index("Code").Close
        rows = []
        now = taken[
            (taken.collected_at == taken.collected_at.max())
            & (taken.MarketId == asked.fields["mktId"])
        ]
        for one in now.to_dict("records"):
            row = {name: one[column] or "-" for name, column in TOLD.items()}
            traded = row["TDD_CLSPRC"] != "-"
            # the pictures tell no change: it is that against the close of the day before, which the first one of a day tells
            row["CMPPREVDD_PRC"] = (
                str(int(row["TDD_CLSPRC"]) - int(closes[one["Code"]])) if traded else "-"
            )
            rows.append(row)
        return Reply({"OutBlock_1": rows}, headers=SAMPLE)


@pytest.fixture(scope="module")
def pictures(real_data: Path) -> pd.DataFrame:
    found = pd.read_parquet(
        real_data / "intraday_snapshots" / "krx_snapshots_2026-03-11_2026-03-12.parquet"
    )
    return found.astype(object).where(found.notna(), None)


def volume_at(pictures: pd.DataFrame, moment: str) -> int:
    return int(pictures[pictures.collected_at == moment].Volume.fillna("0").astype(int).sum())


def test_volumes_that_still_grow_are_not_published_and_final_ones_are(
    new_database: Callable[..., Database], pictures: pd.DataFrame
) -> None:
    database = new_database(sample=True)
    portal = Portal(pictures)

    def load(moment: str, told: str, *options: str) -> str:
        """At a moment, from a portal that is as far as `told`."""
        portal.by = told
        database.execute(f"update ops.warehouse set sample_now = '{moment}'")
        run = database.loaders(
            *PORTAL, "--from", moment[:10], "--to", moment[:10], *options,
            KRX_PORTAL_BASE_URL=replay.base_url, KRX_PORTAL_REQUESTS_PER_MINUTE="0",
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        return run.stderr

    def statuses(day: str) -> list[tuple[object, ...]]:
        return database.rows(
            "select status, count(*) from raw.fetch_cells where dataset = 'ohlcv_daily'"
            f" and collection_date = '{day}' group by 1 order by min(ledger_id)"
        )

    with replaying(portal) as replay:
        # while the market trades, and until its volumes stand still, nothing is due
        for taken in sorted(pictures[pictures.file_date == "2026-03-11"].collected_at.unique())[
            1::3
        ]:
            assert "nothing due" in load(taken, taken)
        assert statuses("2026-03-11") == []
        # the portal is late: at half past eight it is where it was at ten past five, and tells more when asked again
        load("2026-03-11T20:31:00+09:00", "2026-03-11T17:09:56+09:00")
        load("2026-03-11T21:30:00+09:00", "2026-03-11T20:31:00+09:00", "--refresh")
        # … and on the next day where it was before the first trade: dashes in place of prices are no prices
        load("2026-03-12T20:31:00+09:00", "2026-03-12T09:12:58+09:00")
        assert statuses("2026-03-12") == [("NOT_PUBLISHED", 3)]
        load("2026-03-12T20:45:00+09:00", "2026-03-12T20:31:00+09:00")
        assert statuses("2026-03-12") == [("NOT_PUBLISHED", 3), ("SUCCESS", 3)]
    built = database.dbt(
        "build",
        "--indirect-selection",
        "cautious",
        "--select",
        "+ohlcv_daily",
        "+int_daily_prices__superseded",
    )
    assert built.returncode == 0, built.stdout
    final = {
        day: volume_at(pictures, f"{day}T{at}+09:00")
        for day, at in (("2026-03-11", "19:40:47"), ("2026-03-12", "17:58:01"))
    }
    assert database.rows("select time::text, sum(volume), count(*) from marts.ohlcv_daily group by 1 order by 1") == [
        (day, volume, 722) for day, volume in final.items()
    ]  # fmt: skip
    # what was told too early, and later otherwise, stands beside it as what the vendor used to say
    early, late = (
        pictures[pictures.collected_at == f"2026-03-11T{at}+09:00"]
        .set_index("Code")
        .Volume.astype(int)
        for at in ("17:09:56", "19:40:47")
    )
    grown = early[early != late.reindex(early.index)]
    assert len(grown) > 100
    assert database.rows(
        "select count(*), sum(volume) from intermediate.int_daily_prices__superseded where collection_date = '2026-03-11'"
    ) == [(len(grown), int(grown.sum()))]
